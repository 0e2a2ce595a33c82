"""Random changes to training pictures."""

import copy
import pickle

import pytest
import torch

from firstlight.data import augment as changes
from firstlight.data import load
from firstlight.data.augment import augmentation, named
from firstlight.data.errors import AugmentNeedsDataset, AugmentTooLarge, BadAugment, BadAugmentOption, ColourNeedsPixels

EACH = [changes.flip(), changes.alternating_flip(), changes.shift(), changes.cutout(), changes.colour()]


@pytest.fixture(scope="module")
def train():
    return load("fashion_mnist_small")[0]


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_flip_mirrors_about_half():
    pictures = noise(1, 1, 2, 3).repeat(1000, 1, 1, 1)
    changed = changes.flip().for_samples(pictures, torch.arange(1000), 0)
    mirrored = (changed == pictures.flip(3)).flatten(1).all(1)
    assert 450 < int(mirrored.sum()) < 550
    assert bool((mirrored | (changed == pictures).flatten(1).all(1)).all())


def test_alternating_flip_shows_both_sides_in_two_passes(train):
    few = train.subset(range(100))
    batches = few.batches(30, shuffle=True, augment="alternating-flip", seed=1)
    passes = []
    for _turn in range(4):
        labels_and_pictures = [(label, picture) for x, y in batches for picture, label in zip(x, y, strict=True)]
        passes.append({(int(label), _either_side(picture)): picture for label, picture in labels_and_pictures})
    sides = [[torch.equal(one[key], passes[0][key]) for key in passes[0]] for one in passes]
    assert len(passes[0]) == 100
    assert all(sides[2])
    assert not any(sides[1])
    assert not any(sides[3])
    first = torch.stack([passes[0][key].flatten() for key in passes[0]])
    raw = {_either_side(picture): picture for picture in train.preprocess(few.inputs)}
    turned = sum(not torch.equal(picture, raw[_either_side(picture.view(1, 28, 28))].flatten()) for picture in first)
    assert 30 < turned < 70  # chance decides which half begins


def _either_side(picture: torch.Tensor) -> bytes:
    return min(picture.numpy().tobytes(), picture.flip(2).contiguous().numpy().tobytes())


def test_which_half_begins_comes_from_the_seed_or_the_global_numbers(train):
    def first(**options):
        return next(iter(train.batches(64, augment="alternating-flip", **options)))[0]

    torch.manual_seed(0)
    one, other = first(), first()
    assert not torch.equal(one, other)
    torch.manual_seed(0)
    assert torch.equal(first(), one)
    assert torch.equal(first(seed=4), first(seed=4))
    assert not torch.equal(first(seed=4), first(seed=5))


@pytest.mark.parametrize("padding", ["reflect", "zero"])
@pytest.mark.parametrize("shape", [(64, 3, 16, 16), (40, 1, 28, 20), (5, 2, 9, 7)])
def test_shift_is_padding_and_cutting(padding, shape):
    pictures, reach = noise(*shape), 3
    change = changes.shift(pixels=reach, padding=padding)
    draws = change.draw(7, torch.arange(shape[0]), 2)
    moved = change.apply(pictures, draws)
    assert moved.dtype == torch.uint8
    assert moved.is_contiguous()
    mode = {"reflect": "reflect", "zero": "constant"}[padding]
    padded = torch.nn.functional.pad(pictures.float(), (reach,) * 4, mode=mode).to(torch.uint8)
    places = set()
    for sample in range(shape[0]):
        top, left = (int(one[sample]) % (2 * reach + 1) for one in draws)
        places.add((top, left))
        assert torch.equal(moved[sample], padded[sample, :, top : top + shape[2], left : left + shape[3]])
    assert len(places) > shape[0] // 4


def test_shift_by_default_moves_a_sixteenth():
    assert [changes.Shift().reach(side, side) for side in (224, 64, 32, 28, 8, 1)] == [14, 4, 2, 2, 1, 0]
    one = noise(3, 1, 1, 1)
    assert torch.equal(changes.shift()(one), one)


def test_cutout_covers_a_square():
    pictures = torch.zeros(300, 3, 16, 12, dtype=torch.uint8)
    changed = changes.cutout(pixels=5, fill=9).for_samples(pictures, torch.arange(300), 0)
    covered = (changed == 9).all(1)
    assert torch.equal(covered, (changed == 9).any(1))
    sizes = covered.flatten(1).sum(1)
    assert int(sizes.max()) == 25
    assert int(sizes.min()) >= 9  # in a corner
    for one in covered:
        rows, columns = one.any(1).nonzero().flatten(), one.any(0).nonzero().flatten()
        assert int(one.sum()) == len(rows) * len(columns)
        assert int(rows.diff().max()) == int(columns.diff().max()) == 1  # in one piece, at the edge too
    assert int(pictures.max()) == 0  # what was given is left alone
    prepared = torch.ones(2, 3, 8, 8)
    assert float(changes.cutout()(prepared).min()) == 0


def test_colour_is_saturation_then_contrast_then_brightness():
    pictures = noise(20, 3, 6, 5)
    change = changes.colour(0.4, 0.3, 0.5)
    draws = change.draw(3, torch.arange(20), 0)
    found = change.apply(pictures, draws)
    weights = torch.tensor([0.299, 0.587, 0.114]).double().view(1, 3, 1, 1)
    bright, contrast, colourful = (one.double().view(-1, 1, 1, 1) for one in draws)
    assert 0.6 <= float(bright.min()) < 0.8 < 1.2 < float(bright.max()) <= 1.4
    x = pictures.double()
    grey = (x * weights).sum(1, keepdim=True)
    x = grey + (x - grey) * colourful
    mean = (x * weights).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    x = (mean + (x - mean) * contrast) * bright
    assert found.dtype == torch.uint8
    assert int((found.long() - x.round().clamp(0, 255).long()).abs().max()) <= 1
    shades = noise(4, 1, 6, 5)
    grey_draws = change.draw(3, torch.arange(4), 0)
    coloured = change.apply(shades.expand(-1, 3, -1, -1).contiguous(), grey_draws)
    assert int((change.apply(shades, grey_draws).long() - coloured[:, :1].long()).abs().max()) <= 1


@pytest.mark.parametrize("change", EACH, ids=repr)
def test_a_sample_changes_the_same_in_any_company(change):
    pictures, positions = noise(50, 3, 16, 16), torch.randperm(1000)[:50]
    kept = pictures.clone()
    whole = change.for_samples(pictures, positions, 3)
    assert torch.equal(pictures, kept)
    order = torch.randperm(50)[:20]
    assert torch.equal(change.for_samples(pictures[order], positions[order], 3), whole[order])
    assert not torch.equal(change.for_samples(pictures, positions, 4), whole)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            assert torch.equal(change.for_samples(pictures, positions, 3), whole)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("change", EACH, ids=repr)
def test_every_change_can_be_done_without_data(change):
    """The meta device computes shapes only, but refuses what would have to look at values, as a wait for a GPU does."""
    pictures = torch.empty(5, 3, 16, 16, dtype=torch.uint8, device="meta")
    draws = tuple(one.to("meta") for one in change.draw(0, torch.arange(5), 0))
    assert change.apply(pictures, draws).shape == pictures.shape


def test_all_of_them_are_repeatable(train):
    names = "+".join(changes.NAMED)

    def two_passes(**options):
        batches = train.subset(range(200)).batches(64, shuffle=True, augment=names, **options)
        return torch.cat([x for _pass in range(2) for x, _ in batches])

    assert torch.equal(two_passes(seed=3), two_passes(seed=3))
    torch.manual_seed(1)
    one = two_passes()
    torch.manual_seed(1)
    assert torch.equal(one, two_passes())


def test_numbers_drawn_meanwhile_change_nothing(train):
    """Dropout draws from torch's global numbers between two batches."""

    def loop(draw):
        torch.manual_seed(0)
        changed = []
        for x, _ in train.subset(range(300)).batches(64, shuffle=True, augment="flip+shift+cutout+colour"):
            changed.append(x)
            if draw:
                torch.rand(3)
        return torch.cat(changed)

    assert torch.equal(loop(True), loop(False))


def test_steps_of_one_augmentation_are_independent():
    draws = named("flip+flip+shift").draw(5, torch.arange(4000), 0)
    assert 0.45 < float((draws[0] == draws[1]).float().mean()) < 0.55
    words = torch.stack(draws[2:]).double()
    assert abs(float(torch.corrcoef(words)[0, 1])) < 0.1
    assert abs(float(words.mean()) / 2**30 - 1) < 0.05
    others = named("flip+flip+shift").draw(6, torch.arange(4000), 0)
    assert 0.45 < float((draws[1] == others[1]).float().mean()) < 0.55


def test_the_numbers_are_those_of_splitmix64():
    state, expected = 0, []
    for _ in range(3):  # the reference implementation, https://prng.di.unimi.it/splitmix64.c
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        expected.append(z ^ (z >> 31))
    assert expected[0] == 0xE220A8397B1DCDAF  # as published
    assert changes._mixed(0) == expected[0]
    key = changes._mixed(changes._mixed(changes._mixed(9) + 4) + 1)
    words = changes._word(9, torch.arange(2), 4, 1).tolist()
    assert words[0] == changes._mixed((key - 0x9E3779B97F4A7C15) % 2**64) >> 33
    assert words[1] == changes._mixed(key) >> 33


def test_ways_to_say_it():
    assert repr(named("alternating-flip + shift")) == "alternating_flip() + shift(pixels=None, padding='reflect')"
    assert repr("flip" + changes.cutout(4) + "color") == (
        "flip() + cutout(pixels=4, fill=128) + colour(brightness=0.2, contrast=0.2, saturation=0.2)"
    )
    for change in EACH:
        assert pickle.loads(pickle.dumps(change)) == copy.deepcopy(change) == change


def test_an_object_is_told_which_samples_it_has(train):
    seen = []

    class Watch:
        def for_samples(self, pictures, positions, turn):
            assert torch.equal(pictures, train.inputs[positions])
            seen.append((positions, turn))
            return pictures

    batches = train.batches(3000, shuffle=True, augment=Watch())
    next(iter(batches))
    assert [turn for _, turn in seen] == [0]
    seen.clear()
    for _pass in range(2):
        list(batches)
    assert [turn for _, turn in seen] == [0] * 4 + [1] * 4
    for turn in range(2):
        assert (
            torch.cat([positions for positions, one in seen if one == turn]).sort().values.equal(torch.arange(10_000))
        )
    seen.clear()
    list(train.batches(6000, augment=Watch()))
    assert [positions[0].item() for positions, _ in seen] == [0, 6000]


def test_a_look_uses_up_nothing(train):
    names = "alternating-flip+shift"
    looked_at, other = (train.batches(512, shuffle=True, augment=names, seed=2) for _ in range(2))
    state = looked_at.generator.get_state()
    next(iter(looked_at))
    looked_at.generator.set_state(state)
    assert looked_at.turn == 0
    for _pass in range(2):
        for (x, _), (expected, _) in zip(looked_at, other, strict=True):
            assert torch.equal(x, expected)
    assert looked_at.turn == other.turn == 2


class Positions:
    def for_samples(self, pictures, positions, turn):
        return pictures


def test_data_without_positions():
    pictures = noise(8, 3, 16, 16)
    one = augmentation("flip+shift+cutout+colour", torch.Generator().manual_seed(1))(pictures)
    assert torch.equal(one, augmentation("flip+shift+cutout+colour", torch.Generator().manual_seed(1))(pictures))
    torch.manual_seed(0)
    one = augmentation("shift")(pictures)
    torch.manual_seed(0)
    assert torch.equal(augmentation(changes.shift())(pictures), one)
    assert augmentation(torch.neg) is torch.neg
    for wanted in ("alternating-flip+shift", changes.shift() + changes.alternating_flip(), Positions()):
        with pytest.raises(AugmentNeedsDataset, match="which sample is which"):
            augmentation(wanted)
    with pytest.raises(AugmentNeedsDataset):
        changes.alternating_flip()(pictures)
    with pytest.raises(BadAugment):
        augmentation(5)
    with pytest.raises(BadAugment):
        changes.flip()(torch.zeros(4, 3))


@pytest.mark.parametrize(
    "make",
    [
        lambda: changes.shift(pixels=-1),
        lambda: changes.shift(pixels=1.5),
        lambda: changes.shift(padding="wrap"),
        lambda: changes.cutout(pixels=0),
        lambda: changes.cutout(fill=256),
        lambda: changes.colour(brightness=2),
        lambda: changes.colour(contrast="much"),
        lambda: changes.colour(saturation=True),
    ],
)
def test_options_that_are_none(make):
    with pytest.raises(BadAugmentOption):
        make()


def test_what_does_not_fit():
    with pytest.raises(AugmentTooLarge, match="16 × 12"):
        changes.shift(pixels=12)(noise(2, 1, 16, 12))
    with pytest.raises(AugmentTooLarge, match="cutout"):
        changes.cutout(pixels=13)(noise(2, 1, 16, 12))
    with pytest.raises(ColourNeedsPixels, match="float32"):
        changes.colour()(torch.zeros(2, 3, 4, 4))


@pytest.mark.parametrize("name", ["flip", "shift", "cutout", "colour"])
def test_a_batch_without_samples_stays_one(name):
    nothing = torch.zeros(0, 3, 6, 6, dtype=torch.uint8)
    assert augmentation(name)(nothing).shape == nothing.shape
