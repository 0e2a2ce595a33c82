"""Recipes: a plain model and plain arguments of fit, for any pictures."""

import math

import pytest
import torch
from torch import nn

import firstlight as fl
from firstlight.data.dataset import Dataset
from firstlight.data.samples import splits
from firstlight.train import recipes
from firstlight.train.muon import Muon
from firstlight.train.recipe import NotInRange, UnknownChoice
from firstlight.train.recipes import NotPictures, Triangle, cifar10, fitting_batch, photo_optimizer


def photos(count=240, side=(32, 32), channels=3, classes=3, seed=0) -> tuple[Dataset, Dataset]:
    """Smooth pictures with noise; the class is where the bright spot lies."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    height, width = side
    rows = torch.linspace(0, 1, height).view(1, 1, height, 1)
    columns = torch.linspace(0, 1, width).view(1, 1, 1, width)
    place = (labels.float() + 0.5).view(-1, 1, 1, 1) / classes
    spot = torch.exp(-(((rows - place) ** 2 + (columns - 0.5) ** 2) / 0.02))
    noise = torch.rand((count, channels, height, width), generator=random)
    pixels = (40 + 120 * spot + 60 * noise).to(torch.uint8)
    half = count // 2
    return splits((pixels[:half], labels[:half]), (pixels[half:], labels[half:]), name="spots")


def test_the_first_layer_makes_its_outputs_uncorrelated_and_equally_strong():
    train, _ = fl.load("fashion_mnist_small")
    layer = cifar10(train, size="medium").model.whiten
    assert not layer.weight.requires_grad
    assert layer.out_channels == 8  # a piece of 2 × 2 grey pixels has four directions
    torch.testing.assert_close(layer.weight[:4], -layer.weight[4:])
    maps = layer(train.preprocess(train.inputs[:2000]))[:, :4].transpose(0, 1).reshape(4, -1)
    second = maps @ maps.T / maps.shape[1]
    torch.testing.assert_close(second, torch.eye(4), atol=0.1, rtol=0)


def test_an_untrained_model_guesses():
    train, _ = fl.load("fashion_mnist_small")
    for size in ("small", "medium"):
        torch.manual_seed(0)
        model = cifar10(train, size=size).model.train()
        loss = nn.functional.cross_entropy(model(train.preprocess(train.inputs[:500])), train.labels[:500])
        assert abs(loss.item() - math.log(10)) < 0.3


def test_eval_mode_answers_alike_for_a_picture_and_its_mirror_image():
    train, test = photos()
    pictures = test.preprocess(test.inputs[:8])
    model = cifar10(train).model.eval()
    torch.testing.assert_close(model(pictures), model(pictures.flip(3)), atol=1e-5, rtol=1e-5)
    model.mirror = False
    assert not torch.allclose(model(pictures), model(pictures.flip(3)))


def test_letters_are_not_mirrored():
    train, _ = photos()
    recipe = cifar10(train, mirror=False)
    assert not recipe.model.mirror
    assert recipe.options["augment"] == "shift"


@pytest.mark.parametrize("size", ["small", "medium"])
@pytest.mark.parametrize("side", [(32, 32), (28, 28), (20, 37), (96, 64), (5, 5), (2, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_any_size_are_taken(side, size, channels):
    train, test = photos(count=80, side=side, channels=channels, classes=2)
    model = cifar10(train, size=size).model
    for mode in (True, False):
        assert model.train(mode)(test.preprocess(test.inputs)).shape == (40, 2)


def test_large_pictures_cost_about_as_much_as_small_ones():
    train, _ = photos(count=40, side=(128, 128))
    model = cifar10(train).model
    assert model.whiten(torch.zeros(1, 3, 128, 128)).shape[2:] == (31, 31)


def test_batches_and_epochs_fit_the_number_of_pictures():
    few, _ = photos(count=400)
    options = cifar10(few).options
    assert options["batch_size"] == 16
    assert options["epochs"] * math.ceil(200 / 16) >= 400
    assert fitting_batch(50_000, largest=500) == 500
    assert cifar10(few, epochs=3, batch_size=50).options["schedule"].steps == 12


def test_options_are_plain_arguments_of_fit(capsys):
    torch.manual_seed(0)
    train, test = photos(count=400)
    recipe = cifar10(train, size="small", epochs=8)
    assert recipe.options["precision"] in ("float32", "bfloat16")
    run = fl.fit(recipe.model, train, test, **recipe.options, seed=0, device="cpu")
    capsys.readouterr()
    assert run.model is recipe.model
    assert run.last("test/accuracy") > 0.9
    assert run.info["optimizer"] == "Muon"


def test_a_hand_full_of_photos_is_learned_with_the_medium_recipe(capsys):
    torch.manual_seed(0)
    train, test = photos(count=120, side=(40, 48), classes=2)
    recipe = cifar10(train, epochs=10)
    run = fl.fit(recipe.model, train, test, **recipe.options, seed=0, device="cpu")
    capsys.readouterr()
    assert run.last("test/accuracy") > 0.9


def test_the_same_seed_gives_the_same_model(capsys):
    train, test = photos()
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        recipe = cifar10(train, epochs=2)
        fl.fit(recipe.model, train, test, **recipe.options, seed=3, device="cpu", threads=1)
        states.append(recipe.model.state_dict())
    capsys.readouterr()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_optimizer_gives_filters_to_muon_and_the_rest_to_adam():
    train, _ = photos()
    model = cifar10(train).model
    optimizer = photo_optimizer([weight for weight in model.parameters() if weight.requires_grad])
    assert isinstance(optimizer, Muon)
    kinds = {(group["orthogonal"], weight.ndim) for group in optimizer.param_groups for weight in group["params"]}
    assert kinds == {(True, 4), (False, 2), (False, 1)}
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    assert id(model.whiten.weight) not in held
    assert not any(id(block.first_norm.weight) in held for block in model.blocks)


def test_a_trained_model_is_exported_with_plain_operations():
    train, test = photos()
    model = cifar10(train).model.eval()
    pictures = test.preprocess(test.inputs[:4])
    program = torch.export.export(model, (pictures,))
    operations = {str(node.target).split(".")[1] for node in program.graph.nodes if node.op == "call_function"}
    # Each has a counterpart in ONNX: Conv, BatchNormalization, Gelu, MaxPool, ReduceMax, Slice, MatMul, Add, Div.
    assert operations <= {"conv2d", "batch_norm", "gelu", "max_pool2d", "amax", "flip", "linear", "add", "div"}
    torch.testing.assert_close(program.module()(pictures), model(pictures))


def test_a_schedule_ends_at_zero_and_stays_there():
    plan = Triangle(steps=10, warm_up=0.2)
    shares = [plan.share(step) for step in range(13)]
    assert shares[0] < shares[1] < shares[2] == 1.0
    assert shares[10:] == [0.0] * 3
    assert shares[2:11] == sorted(shares[2:11], reverse=True)


def test_what_the_recipe_cannot_cook_is_told():
    train, _ = photos()
    table, _ = splits((torch.randn(20, 3), torch.arange(20) % 2), None, name="table")
    for other in (table, torch.zeros(3, 3, 8, 8), None):
        with pytest.raises(NotPictures):
            cifar10(other)
    with pytest.raises(UnknownChoice, match="small"):
        cifar10(train, size="huge")
    for option in ({"epochs": 0}, {"batch_size": 2.5}, {"widths": (8, 0)}, {"epochs": True}):
        with pytest.raises(NotInRange):
            cifar10(train, **option)


def test_the_first_layer_is_the_same_however_many_pictures_are_looked_at_at_once(monkeypatch):
    part = photos(side=(40, 48))[0].subset(range(30))
    whole = recipes.whitening(part, 2, 1, 24).weight.flatten(1)
    cifar10(part)
    assert part._rows is not None  # its pictures were looked at where they lie, without a copy
    monkeypatch.setattr(recipes, "_AT_ONCE", 1)
    few = recipes.whitening(part, 2, 1, 24).weight.flatten(1)
    torch.testing.assert_close(few @ few.T, whole @ whole.T, rtol=1e-3, atol=1e-3)
