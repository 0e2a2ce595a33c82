import torch
from torch import nn
import torch.nn.functional as F
import firstlight as fl

T = 3.0


def plain_epoch(net, opt, x, y):
    net.train()
    s = 0.0
    for rows in torch.randperm(len(x)).split(50):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
        s += loss.item() * len(rows)
    return s / len(x)


def distill_epoch(student, teacher, opt, x, y):
    student.train()
    s = 0.0
    for rows in torch.randperm(len(x)).split(50):
        with torch.no_grad():
            soft = F.softmax(teacher(x[rows]) / T, dim=1)
        out = student(x[rows])
        kd = F.kl_div(F.log_softmax(out / T, dim=1), soft, reduction="batchmean") * T * T
        loss = 0.7 * kd + 0.3 * F.cross_entropy(out, y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        s += loss.item() * len(rows)
    return s / len(x)


def main():
    torch.manual_seed(12)
    train, test = fl.load("fashion_mnist_small")
    x, y = train[:2000]
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
    opt = torch.optim.Adam(teacher.parameters(), lr=2e-3)
    for epoch in range(3):
        print(f"teacher {epoch} {plain_epoch(teacher, opt, x, y):.6f}")
    teacher.eval()
    student = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))
    opt = torch.optim.Adam(student.parameters(), lr=2e-3)
    for epoch in range(4):
        print(f"student {epoch} {distill_epoch(student, teacher, opt, x, y):.6f}")
    student.eval()
    xt, yt = test[:1000]
    with torch.no_grad():
        print(f"result: {(student(xt).argmax(1) == yt).float().mean().item():.4f}")


main()
