// A photo from the camera: live where the page may, else by what the phone has for it.

const find = (id) => document.getElementById(id);

/** Make the button work: `taken` is given each photo, `failed` the reason why there is none. */
export function setUpCamera(taken, failed) {
  const [dialog, video, snapshot] = ["viewfinder", "video", "snapshot"].map(find);

  async function open() {
    // browsers show cameras to pages from this machine or by https only
    if (!navigator.mediaDevices?.getUserMedia) return snapshot.click();
    try {
      const wish = { video: { facingMode: "environment", width: { ideal: 1920 } } };
      video.srcObject = await navigator.mediaDevices.getUserMedia(wish);
    } catch (error) {
      return failed(error.message);
    }
    dialog.showModal();
    await video.play();
  }

  function shoot() {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    const name = `camera-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jpg`;
    canvas.toBlob((blob) => taken([new File([blob], name)]), "image/jpeg", 0.95);
    dialog.close();
  }

  find("camera").addEventListener("click", open);
  find("shoot").addEventListener("click", shoot);
  find("leave").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  });
  snapshot.addEventListener("change", () => {
    taken([...snapshot.files]);
    snapshot.value = "";
  });
}
