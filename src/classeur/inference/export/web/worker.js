// The network, on a thread of its own: photos in, probabilities out.

import { env, InferenceSession, Tensor } from "./onnxruntime.js";

const STRIP = 1 << 20; // pixels that are read at once

const near = (path) => new URL(path, import.meta.url).href;
env.wasm.numThreads = 1; // more need headers that plain servers do not send
env.wasm.wasmPaths = { wasm: near("onnxruntime.wasm") };
const network = InferenceSession.create(near("../model.onnx"), { executionProviders: ["wasm"] });
network.catch(() => {}); // said when it is asked for

/** Decode a photo as Classeur does: upright, its levels as stored, white below what is clear. */
async function decoded(file) {
  return createImageBitmap(file, {
    imageOrientation: "from-image",
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
}

/** Return the levels (height, width, 3), strip by strip: phones have no canvas for a whole photo. */
function levels(photo) {
  const { width, height } = photo;
  const rows = Math.min(height, Math.max(1, Math.floor(STRIP / width)));
  const canvas = new OffscreenCanvas(width, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  const found = new Uint8Array(height * width * 3);
  for (let top = 0, to = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.fillRect(0, 0, width, count);
    context.drawImage(photo, 0, top, width, count, 0, 0, width, count);
    const { data } = context.getImageData(0, 0, width, count);
    for (let from = 0; from < data.length; from += 4, to += 3) {
      found[to] = data[from];
      found[to + 1] = data[from + 1];
      found[to + 2] = data[from + 2];
    }
  }
  photo.close();
  return new Tensor("uint8", found, [height, width, 3]);
}

async function answer(file) {
  const session = await network;
  if (!file) return {}; // it was only asked whether it is there
  let photo;
  try {
    photo = await decoded(file);
  } catch {
    return { undecodable: true };
  }
  const { probabilities } = await session.run({ photo: levels(photo) });
  return { probabilities: [...probabilities.data] };
}

self.addEventListener("message", async ({ data }) => {
  try {
    postMessage(await answer(data));
  } catch (error) {
    postMessage({ failed: error.message ?? String(error) });
  }
});
