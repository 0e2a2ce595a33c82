"""Muon: steps are orthogonal, and what has no rows follows Adam."""

import copy

import pytest
import torch
from torch import nn

from firstlight.train.muon import Muon, NotForMuon, orthogonalize
from firstlight.train.recipe import NotInRange


@pytest.mark.parametrize("shape", [(16, 16), (8, 72), (72, 8), (32, 288)])
def test_all_directions_become_about_equally_long(shape):
    values = torch.linalg.svdvals(orthogonalize(torch.randn(shape)).float())
    assert values.min() > 0.5
    assert values.max() < 1.35


def test_directions_stay_where_they_are():
    left, _, right = torch.linalg.svd(torch.randn(12, 40), full_matrices=False)
    strengths = torch.linspace(1, 50, 12)
    turned = orthogonalize(left @ torch.diag(strengths) @ right, turns=8)
    between = left.T @ turned @ right.T
    assert (between - torch.diag(between.diagonal())).abs().max() < 0.1
    assert between.diagonal().min() > 0.5


def test_a_gradient_of_zeros_moves_nothing():
    assert orthogonalize(torch.zeros(3, 5)).abs().max() == 0


def test_the_type_of_the_matrix_is_kept():
    assert orthogonalize(torch.randn(3, 5, dtype=torch.float64)).dtype == torch.float64


def test_a_filter_bank_moves_the_same_in_any_memory_format():
    weights = torch.randn(8, 4, 3, 3)
    slope = torch.randn(8, 4, 3, 3)
    moved = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        weight = nn.Parameter(weights.clone(memory_format=memory_format))
        weight.grad = slope.clone(memory_format=memory_format)
        Muon([weight], lr=0.1, momentum=0.0).step()
        moved.append(weight.detach() - weights)
    torch.testing.assert_close(moved[0], moved[1], atol=2e-3, rtol=0)
    rows = moved[0].reshape(8, -1) / 0.1
    assert torch.linalg.svdvals(rows).min() > 0.5


def test_momentum_is_nesterovs():
    weight = nn.Parameter(torch.zeros(4, 4))
    optimizer = Muon([weight], lr=1.0, momentum=0.5)
    first, second = torch.randn(4, 4), torch.randn(4, 4)
    for slope in (first, second):
        weight.grad = slope.clone()
        before = weight.detach().clone()
        optimizer.step()
    kept = 0.5 * first + second
    torch.testing.assert_close(weight.detach() - before, -orthogonalize(second + 0.5 * kept), atol=1e-2, rtol=0)


def test_the_length_of_filters_is_held():
    weight = nn.Parameter(torch.randn(16, 8, 3, 3) * 100)
    weight.grad = torch.randn_like(weight)
    Muon([weight], lr=0.0, fixed_length=True).step()
    torch.testing.assert_close(weight.norm().item(), 4.0, atol=1e-4, rtol=0)


def test_what_has_no_rows_follows_adam():
    ours = nn.Parameter(torch.randn(7))
    theirs = nn.Parameter(ours.detach().clone())
    pair = (
        Muon([ours], lr=0.02, momentum=0.85, spread=0.95),
        torch.optim.Adam([theirs], lr=0.02, betas=(0.85, 0.95), eps=1e-10),
    )
    for _ in range(20):
        slope = torch.randn(7)
        for weight, optimizer in zip((ours, theirs), pair, strict=True):
            weight.grad = slope.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_a_group_can_say_that_its_matrices_follow_adam():
    head = nn.Parameter(torch.zeros(3, 5))
    head.grad = torch.tensor([[1.0, -2.0, 3.0, -4.0, 5.0]] * 3)
    Muon([{"params": [head], "orthogonal": False}], lr=0.5).step()
    torch.testing.assert_close(head.detach(), -0.5 * head.grad.sign())  # the first step of Adam


def test_a_weight_without_a_gradient_is_left_alone():
    still, moved = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    moved.grad = torch.eye(2)
    Muon([still, moved], lr=0.1).step()
    assert (still == 1).all()
    assert not (moved == 1).all()


def test_a_saved_state_goes_on_where_it_was():
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    optimizer = Muon(layer.parameters(), lr=0.1)

    def train(layer, optimizer):
        torch.manual_seed(1)
        for _ in range(3):
            optimizer.zero_grad()
            layer(torch.randn(5, 6)).square().sum().backward()
            optimizer.step()

    train(layer, optimizer)
    twin = copy.deepcopy(layer)
    other = Muon(twin.parameters(), lr=0.1)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(layer, optimizer)
    train(twin, other)
    assert all(torch.equal(one, two) for one, two in zip(layer.parameters(), twin.parameters(), strict=True))


def test_a_closure_is_asked_with_gradients_on():
    weight = nn.Parameter(torch.ones(2, 2))
    optimizer = Muon([weight], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert not (weight == 1).all()


@pytest.mark.parametrize(
    "options", [{"lr": -1.0}, {"lr": float("inf")}, {"momentum": 1.0}, {"momentum": -0.1}, {"spread": 1.5}]
)
def test_numbers_out_of_range_are_told(options):
    with pytest.raises(NotInRange):
        Muon([nn.Parameter(torch.ones(2))], **options)


def test_weights_of_other_kinds_are_refused_in_words_and_empty_ones_left_alone():
    with pytest.raises(NotForMuon, match="complex"):
        Muon([nn.Parameter(torch.zeros(2, 3, dtype=torch.complex64))])
    table = nn.Embedding(5, 3, sparse=True)
    optimizer = Muon(table.parameters())
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(NotForMuon, match=r"\(5, 3\): its numbers are sparse"):
        optimizer.step()
    empty, full = nn.Parameter(torch.zeros(0, 3)), nn.Parameter(torch.ones(2, 3))
    optimizer = Muon([empty, full])
    (empty.sum() + full.sum()).backward()
    optimizer.step()
    assert full.ne(1).all()
