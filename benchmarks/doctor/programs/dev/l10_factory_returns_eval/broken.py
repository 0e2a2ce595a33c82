import logging
import sys
from functools import partial

import torch
import torch.nn as nn

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
log = logging.getLogger("shapes")


def render(kind, side=16):
    canvas = torch.zeros(side, side)
    top, left = torch.randint(1, 6, (2,)).tolist()
    size = int(torch.randint(6, 10, ()))
    if kind == 0:  # filled square
        canvas[top:top + size, left:left + size] = 1
    elif kind == 1:  # frame
        canvas[top:top + size, left:left + size] = 1
        canvas[top + 2:top + size - 2, left + 2:left + size - 2] = 0
    elif kind == 2:  # cross
        canvas[top + size // 2, left:left + size] = 1
        canvas[top:top + size, left + size // 2] = 1
    else:  # diagonal
        steps = torch.arange(size)
        canvas[top + steps, left + steps] = 1
    return canvas


def build_split(n, noise):
    kinds = torch.randint(0, 4, (n,))
    pictures = torch.stack([render(k) for k in kinds.tolist()]).unsqueeze(1)
    return pictures - 0.2 + noise * torch.randn_like(pictures), kinds


def conv_unit(c_in, c_out):
    return [nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU(), nn.MaxPool2d(2)]


def get_model(n_classes, width=12, p=0.1):
    model = nn.Sequential(
        *conv_unit(1, width), *conv_unit(width, 2 * width),
        nn.Flatten(), nn.Dropout(p), nn.Linear(2 * width * 16, n_classes),
    )
    for layer in model:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model.eval()


def fit(model, x, y, epochs, lr):
    opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        order = torch.randperm(len(x))
        for rows in order.split(40):
            loss = loss_fn(model(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
        log.info("epoch %d loss %.4f", epoch, loss.item())


def score(model, x, y):
    model.eval()
    with torch.inference_mode():
        return (model(x).argmax(1) == y).double().mean().item()


if __name__ == "__main__":
    torch.manual_seed(6)
    split = partial(build_split, noise=0.35)
    train_x, train_y = split(1000)
    test_x, test_y = split(500)
    model = get_model(n_classes=4)
    fit(model, train_x, train_y, epochs=6, lr=0.01)
    print(f"result: {score(model, test_x, test_y):.4f}")
