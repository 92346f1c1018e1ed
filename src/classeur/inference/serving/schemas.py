"""What the server says, as it stands in /openapi.json."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from classeur.inference.predictor import Prediction


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Ranked(_Said):
    """One of the most probable classes."""

    label: str
    probability: float = Field(ge=0, le=1)


class Answer(_Said):
    """What the network says of one photo, or why it cannot."""

    file: str | None = Field(description="Name as it was sent; null for a body without one.")
    label: str | None = Field(description="The most probable class; null if there is an error.")
    probability: float | None = Field(ge=0, le=1, description="Of the label.")
    top: list[Ranked] = Field(description="The top_k most probable classes, best first.")
    unsure: bool | None = Field(
        description="Whether the label is too doubtful to be an answer; null if this server always "
        "answers."
    )
    possible: list[str] | None = Field(
        description="Of an unsure photo, the classes that it may be of; null if this server was "
        "not told a share of wrong answers."
    )
    strange: bool | None = Field(
        description="Whether the photo resembles nothing the run has seen; null if it cannot tell."
    )
    strangeness: float | None = Field(ge=0, description="Above 1 the photo is strange.")
    error: str | None = Field(description="Why the photo cannot be read; null if it can.")

    @classmethod
    def of(
        cls, said: Prediction, file: str | None, *, abstains: bool, names_possible: bool
    ) -> Answer:
        """Return a prediction as the server says it."""
        read = not said.error
        return cls(
            file=file,
            label=said.label or None,
            probability=said.probability if read else None,
            top=[Ranked(label=name, probability=p) for name, p in said.top],
            unsure=said.unsure if read and abstains else None,
            possible=list(said.possible) if read and names_possible else None,
            strange=said.is_strange if said.strangeness is not None else None,
            strangeness=said.strangeness,
            error=said.error or None,
        )


class Answers(_Said):
    """An answer for each photo, in the order they were sent."""

    photos: list[Answer]


class Problem(_Said):
    """Why a request has no answer."""

    error: str


class State(_Said):
    """Of a server that is alive or ready."""

    status: Literal["ok"] = "ok"


class Limits(_Said):
    """What a request may cost."""

    max_files: int
    max_request_mb: int
    max_megapixels: int


class Model(_Said):
    """What is served."""

    name: str
    version: str = Field(description="Of Classeur.")
    class_names: list[str] = Field(description="Sorted by name; the order of the probabilities.")
    preprocessing: dict[str, Any] = Field(description="From file bytes to the network's input.")
    abstains: bool = Field(description="Whether it may be unsure of a photo.")
    abstain_below: float | None
    max_error: float | None
    tells_strange: bool = Field(description="Whether it says which photos are strange.")
    explains: bool = Field(description="Whether POST /explain draws heat maps.")
    limits: Limits
    card: str | None = Field(description="The model card, in Markdown.")
