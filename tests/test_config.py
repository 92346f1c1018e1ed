"""What is asked of a run: every problem at once, and TOML there and back."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from classeur import config as room
from classeur.config import (
    AugmentationConfig,
    DataConfig,
    ModelConfig,
    PreprocessingConfig,
    RunConfig,
    TrainingConfig,
)
from classeur.errors import ConfigError
from classeur.section import Section, override

SECTIONS = [DataConfig, PreprocessingConfig, ModelConfig, AugmentationConfig, TrainingConfig]


def problems(function):
    with pytest.raises(ConfigError) as caught:
        function()
    return caught.value.problems


class TestFolds:
    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"fold": 4}, "fold must be from 1 to 3, received 4."),
            ({"fold": 0}, "fold must be from 1 to 3, received 0."),
            (
                {"val": 0.7},
                "val and folds must leave something to train on: 0.7 + 1/3 is not below 1.",
            ),
            ({"test": 0.3}, "folds have a test split of 1/3 of the photos each: leave out test."),
            ({"manifest": "m.csv"}, "folds make splits of their own: leave out manifest."),
        ],
    )
    def test_what_cannot_be(self, options, problem):
        with pytest.raises(ConfigError) as caught:
            DataConfig(folds=3, **options)
        assert caught.value.problems == [problem]

    def test_the_share_of_the_test_is_no_matter(self):
        assert DataConfig(folds=10, val=0.85).fold == 1


class TestValues:
    @pytest.mark.parametrize(
        ("section", "option", "value", "problem"),
        [
            (
                DataConfig, "layout", "class-folder",
                'unknown layout "class-folder". Did you mean "class-folders"? Expected one of: '
                "auto, class-folders, split-folders, flat, table, idx, arrays.",
            ),
            (DataConfig, "top_classes", -1, "top_classes must be at least 0, received -1."),
            (DataConfig, "limit_per_class", -1, "limit_per_class must be at least 0, received -1."),
            (DataConfig, "split_seed", -1, "split_seed must be at least 0, received -1."),
            (DataConfig, "val", 0, "val must be at least 0.001 and below 1, received 0."),
            (DataConfig, "test", -0.5, "test must be at least 0.001 and below 1, received -0.5."),
            (
                DataConfig, "val", 0.8,
                "val and test must leave something to train on: 0.8 + 0.2 is not below 1.",
            ),
            (DataConfig, "folds", -1, "folds must be 0 or at least 2, received -1."),
            (DataConfig, "folds", 1, "folds must be 0 or at least 2, received 1."),
            (DataConfig, "fold", 2, "fold needs folds."),
            (PreprocessingConfig, "size", 3, "size must be from 4 to 4096 pixels, received 3."),
            (PreprocessingConfig, "size", -1, "size must be from 4 to 4096 pixels, received -1."),
            (
                PreprocessingConfig, "color", "gray",
                'unknown color "gray". Did you mean "grey"? Expected one of: auto, rgb, grey.',
            ),
            (
                PreprocessingConfig, "resize", "fit",
                'unknown resize "fit". Expected one of: squash, crop, pad.',
            ),
            (ModelConfig, "dropout", 1, "dropout must be at least 0 and below 1, received 1."),
            (
                ModelConfig, "spatial_dropout", -1,
                "spatial_dropout must be at least 0 and below 1, received -1.",
            ),
            (
                ModelConfig, "normalization", "batchnorm",
                'unknown normalization "batchnorm". Did you mean "batch"? Expected one of: none, '
                "batch, group, layer.",
            ),
            (
                AugmentationConfig, "randaugment", -1,
                "randaugment must be from 0 to 14, received -1.",
            ),
            (
                AugmentationConfig, "magnitude", 7.5,
                "magnitude 7.5 does nothing without randaugment: give it, too.",
            ),
            (
                AugmentationConfig, "extra_augment_rare", True,
                "extra_augment_rare has nothing to draw views with: turn on flip, rotation or "
                "another augmentation.",
            ),
            (
                TrainingConfig, "loss", "focall",
                'unknown loss "focall". Did you mean "focal"? Expected one of: cross-entropy, '
                "focal.",
            ),
            (
                TrainingConfig, "focal_gamma", 1.0,
                "focal_gamma 1.0 does nothing without the focal loss: give loss \"focal\", too.",
            ),
            (
                TrainingConfig, "sampling", "uniform",
                'unknown sampling "uniform". Expected one of: shuffled, balanced.',
            ),
            (ModelConfig, "zca", -1, "zca must be at least 0, received -1."),
            (AugmentationConfig, "flip", 1.01, "flip must be from 0 to 1, received 1.01."),
            (AugmentationConfig, "erasing", -1, "erasing must be from 0 to 1, received -1."),
            (AugmentationConfig, "rotation", 181, "rotation must be from 0 to 180, received 181."),
            (
                AugmentationConfig, "shear", 80,
                "shear must be at least 0 and below 80, received 80.",
            ),
            (AugmentationConfig, "zoom", 1, "zoom must be at least 0 and below 1, received 1."),
            (AugmentationConfig, "mixup", -1, "mixup must be at least 0, received -1."),
            (AugmentationConfig, "cutmix", -0.1, "cutmix must be at least 0, received -0.1."),
            (TrainingConfig, "epochs", 0, "epochs must be at least 1, received 0."),
            (TrainingConfig, "batch_size", 0, "batch_size must be at least 1, received 0."),
            (TrainingConfig, "weight_decay", -1, "weight_decay must be at least 0, received -1."),
            (TrainingConfig, "patience", -1, "patience must be at least 0, received -1."),
            (TrainingConfig, "max_minutes", -1, "max_minutes must be at least 0, received -1."),
            (
                TrainingConfig, "learning_rate", 0,
                "learning_rate must be above 0 and at most 100, received 0.",
            ),
            (
                TrainingConfig, "learning_rate", float("nan"),
                "learning_rate must be above 0 and at most 100, received nan.",
            ),
            (
                TrainingConfig, "label_smoothing", 1.5,
                "label_smoothing must be at least 0 and below 1, received 1.5.",
            ),
            (
                TrainingConfig, "optimizer", "adamW",
                'unknown optimizer "adamW". Did you mean "adamw"? Expected one of: adam, adamw, '
                "sgd.",
            ),
            (
                TrainingConfig, "schedule", "onecycle",
                'unknown schedule "onecycle". Did you mean "one-cycle"? Expected one of: '
                "constant, cosine, one-cycle.",
            ),
            (
                TrainingConfig, "device", "gpu",
                'unknown device "gpu". Did you mean "cpu"? Expected one of: auto, cpu, cuda, mps.',
            ),
            (
                TrainingConfig, "number_format", "float16",
                'unknown number_format "float16". Did you mean "bfloat16"? Expected one of: auto, '
                "float32, bfloat16.",
            ),
            (RunConfig, "seed", -1, "seed must be at least 0, received -1."),
        ],
    )  # fmt: skip
    def test_that_cannot_be(self, section, option, value, problem):
        assert problems(lambda: section(**{option: value})) == [problem]

    @pytest.mark.parametrize("section", SECTIONS)
    def test_no_number_is_nan(self, section):
        for field in dataclasses.fields(section):
            if field.type == "float":
                assert problems(lambda name=field.name: section(**{name: float("nan")}))

    @pytest.mark.parametrize(
        ("section", "options"),
        [
            (AugmentationConfig, {"flip": 1, "erasing": 1.0, "rotation": 180, "mixup": 0}),
            (PreprocessingConfig, {"size": 4}),
            (PreprocessingConfig, {"size": 0}),
            (PreprocessingConfig, {"size": 4096}),
            (DataConfig, {"val": 0.001, "test": 0.998}),
            (TrainingConfig, {"learning_rate": 100, "epochs": 1, "batch_size": 1}),
        ],
    )
    def test_at_the_limits(self, section, options):
        built = section(**options)
        assert {name: getattr(built, name) for name in options} == options

    @pytest.mark.parametrize(
        ("section", "option", "value", "problem"),
        [
            (TrainingConfig, "epochs", "3", "epochs must be a whole number, received '3'."),
            (TrainingConfig, "epochs", 3.0, "epochs must be a whole number, received 3.0."),
            (TrainingConfig, "epochs", True, "epochs must be a whole number, received True."),
            (TrainingConfig, "learning_rate", "x", "learning_rate must be a number, received 'x'."),
            (
                TrainingConfig,
                "learning_rate",
                True,
                "learning_rate must be a number, received True.",
            ),
            (
                TrainingConfig,
                "class_weights",
                1,
                "class_weights must be true or false, received 1.",
            ),
            (TrainingConfig, "optimizer", 1, "optimizer must be a text, received 1."),
            (DataConfig, "classes", "cat", "classes must be a list of texts, received 'cat'."),
            (DataConfig, "classes", (1,), "classes must be a list of texts, received (1,)."),
            (RunConfig, "data", None, "data must be a DataConfig, received None."),
        ],
    )
    def test_of_another_type(self, section, option, value, problem):
        assert problems(lambda: section(**{option: value})) == [problem]

    def test_the_defaults_are_possible(self):
        assert RunConfig() == RunConfig.from_mapping({})

    def test_nothing_can_be_changed_in_place(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            RunConfig().seed = 3


class TestAllAtOnce:
    def test_in_one_section(self):
        assert problems(lambda: TrainingConfig(epochs=0, optimizer="adm", label_smoothing=2)) == [
            "epochs must be at least 1, received 0.",
            "label_smoothing must be at least 0 and below 1, received 2.",
            'unknown optimizer "adm". Did you mean "adam"? Expected one of: adam, adamw, sgd.',
        ]

    def test_types_and_values(self):
        assert problems(lambda: TrainingConfig(epochs="3", batch_size=0, patience=-1)) == [
            "epochs must be a whole number, received '3'.",
            "batch_size must be at least 1, received 0.",
            "patience must be at least 0, received -1.",
        ]

    def test_what_says_twice_how_often_a_photo_counts(self):
        assert problems(lambda: TrainingConfig(class_weights=True, sampling="balanced")) == [
            "class_weights does nothing with balanced sampling, where each class is seen as often "
            "as any other: choose one of the two."
        ]
        both = {"extra_augment_rare": True, "flip": 0.5, "sampling": "balanced"}
        assert problems(lambda: override(RunConfig(), both)) == [
            "extra_augment_rare and balanced sampling both say how often a photo is seen: choose "
            "one of the two."
        ]

    def test_options_of_an_option(self):
        assert problems(lambda: AugmentationConfig(randaugment=1, magnitude=10.5)) == [
            "magnitude must be from 0 to 10, received 10.5."
        ]
        assert problems(lambda: TrainingConfig(loss="focal", focal_gamma=-1)) == [
            "focal_gamma must be from 0 to 10, received -1."
        ]
        magnitude = AugmentationConfig(randaugment=2, magnitude=10, extra_augment_rare=True)
        assert magnitude.is_on
        assert not AugmentationConfig().is_on

    def test_in_every_section(self):
        values = {
            "sed": 1,
            "seed": -1,
            "data": {"fotos": "x", "val": 0},
            "model": "conv3",
            "training": {"epochs": 0, "learning_rte": 0.1, "device": 3},
            "augmentation": {"flip": 2},
            "xyz": {},
        }
        assert problems(lambda: RunConfig.from_mapping(values)) == [
            'unknown option "sed". Did you mean "seed"?',
            'unknown option "data.fotos". Did you mean "photos"?',
            "val must be at least 0.001 and below 1, received 0.",
            "model must be a table, received 'conv3'.",
            'unknown option "training.learning_rte". Did you mean "learning_rate"?',
            "device must be a text, received 3.",
            "epochs must be at least 1, received 0.",
            "flip must be from 0 to 1, received 2.",
            'unknown option "xyz".',
            "seed must be at least 0, received -1.",
        ]


class TestToml:
    def test_there_and_back(self, tmp_path):
        config = RunConfig.from_mapping(
            {
                "recipe": "conv3",
                "seed": 7,
                "data": {"photos": 'C:\\a "b"\n', "classes": ["Ä", "b"], "val": 0.25},
                "preprocessing": {"size": 96, "color": "grey", "filters": ["flip", "rotate=9"]},
                "model": {"dropout": 0.1, "normalization": "batch", "zca": 9},
                "augmentation": {"flip": 0.5, "rotation": 10},
                "training": {"learning_rate": 1e-7, "class_weights": True},
            }
        )
        file = tmp_path / "config.toml"
        file.write_text(config.to_toml(), encoding="utf-8")
        assert RunConfig.from_toml(file) == config

    def test_every_value_is_written_out(self):
        text = RunConfig().to_toml()
        for section in SECTIONS:
            for field in dataclasses.fields(section):
                assert f"\n{field.name} = " in text

    def test_paths_that_are_no_utf8(self, tmp_path):
        from classeur.run_folder import write_text

        config = RunConfig(data=DataConfig(photos="caf\udce9", classes=("\udce9",)))
        write_text(tmp_path / "config.toml", config.to_toml())
        assert RunConfig.from_toml(tmp_path / "config.toml") == config

    def test_missing(self, tmp_path):
        file = tmp_path / "config.toml"
        assert problems(lambda: RunConfig.from_toml(file)) == [
            f"{file} cannot be read as TOML: [Errno 2] No such file or directory: '{file}'."
        ]

    def test_no_toml(self, tmp_path):
        file = tmp_path / "config.toml"
        file.write_text("epochs: 3")
        (problem,) = problems(lambda: RunConfig.from_toml(file))
        assert problem.startswith(f"{file} cannot be read as TOML: Expected '=' after a key")

    def test_wrong_values(self, tmp_path):
        file = tmp_path / "config.toml"
        file.write_text("[training]\nepochs = 0\n[dta]\n")
        assert problems(lambda: RunConfig.from_toml(file)) == [
            "epochs must be at least 1, received 0.",
            'unknown option "dta". Did you mean "data"?',
        ]


class TestOverride:
    def test_by_bare_names(self):
        changed = override(
            RunConfig(), {"epochs": 3, "size": 96, "seed": 5, "photos": "x", "dropout": 0.1}
        )
        assert changed == RunConfig.from_mapping(
            {
                "seed": 5,
                "data": {"photos": "x"},
                "preprocessing": {"size": 96},
                "model": {"dropout": 0.1},
                "training": {"epochs": 3},
            }
        )

    def test_none_is_as_it_is(self):
        config = RunConfig(seed=4)
        assert override(config, {"seed": None, "epochs": None, "nothing": None}) == config

    def test_a_whole_section(self):
        changed = override(RunConfig(), {"training": TrainingConfig(epochs=3), "seed": 1})
        assert (changed.training.epochs, changed.seed) == (3, 1)

    def test_a_section_alone(self):
        assert override(TrainingConfig(), {"epochs": 3}) == TrainingConfig(epochs=3)

    def test_every_problem_at_once(self):
        changes = {"seed": -1, "epochs": 0, "batch_sise": 3, "layout": "x", "xyz": 1, "size": "L"}
        assert problems(lambda: override(RunConfig(), changes)) == [
            'unknown layout "x". Did you mean "idx"? Expected one of: auto, class-folders, '
            "split-folders, flat, table, idx, arrays.",
            "size must be a whole number, received 'L'.",
            "epochs must be at least 1, received 0.",
            'unknown option "batch_sise". Did you mean "batch_size"?',
            'unknown option "xyz".',
            "seed must be at least 0, received -1.",
        ]

    def test_bare_names_are_unique(self):
        """An option of two sections could not be given by its bare name."""
        names = Counter(
            f.name for section in [*SECTIONS, RunConfig] for f in dataclasses.fields(section)
        )
        assert names.most_common(1)[0][1] == 1


def test_every_option_is_documented():
    """A unit or a meaning stands under every field."""
    lines = Path(room.__file__).read_text(encoding="utf-8").splitlines()
    nested = {f.name for f in dataclasses.fields(RunConfig)} - {"recipe", "seed"}
    for section in [*SECTIONS, RunConfig]:
        assert issubclass(section, Section)
        for field in dataclasses.fields(section):
            if field.name not in nested:
                (at,) = (
                    n for n, line in enumerate(lines) if line.startswith(f"    {field.name}: ")
                )
                assert lines[at + 1].startswith('    """'), field.name
