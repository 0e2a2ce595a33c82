import torch
import torch.nn as nn
import torch.nn.functional as F


def load(n=4000, n_train=3000, classes=6, islands=3):
    """Every class has a few islands in a space of 10 numbers, seen through 24 mixed channels."""
    centers = 1.6 * torch.randn(classes, islands, 10)
    y = torch.randint(0, classes, (n,))
    hidden = centers[y, torch.randint(0, islands, (n,))] + torch.randn(n, 10)
    x = torch.tanh(hidden @ torch.randn(10, 24) / 4) + 0.1 * torch.randn(n, 24)
    mean, std = x[:n_train].mean(0), x[:n_train].std(0)
    x = (x - mean) / std
    return x[:n_train], y[:n_train], x[n_train:], y[n_train:]


def mlp(*sizes):
    layers = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def fit(net, x, y, objective, epochs, lr, batch=64):
    opt = torch.optim.Adam(net.parameters(), lr=lr)
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for idx in torch.randperm(len(x)).split(batch):
            loss = objective(net(x[idx]), x[idx], y[idx])
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(idx)
    print(f"  last epoch's loss {total / len(x):.4f}")
    return net


def distillation(teacher, temperature=2.0, share=0.7):
    teacher.eval()
    for p in teacher.parameters():
        p.requires_grad_(False)

    def objective(student_logits, xb, yb):
        with torch.no_grad():
            teacher_logits = teacher(xb)
        student_log = F.log_softmax(student_logits / temperature, dim=1)
        teacher_prob = F.softmax(teacher_logits / temperature, dim=1)
        soft = F.kl_div(student_log, teacher_prob, reduction="batchmean") * temperature ** 2
        hard = F.cross_entropy(student_logits, yb)
        return share * soft + (1 - share) * hard

    return objective


@torch.no_grad()
def accuracy(net, x, y):
    net.eval()
    return (net(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(1)
    x, y, x_test, y_test = load()
    print("teacher")
    teacher = fit(mlp(24, 256, 256, 6), x, y, lambda out, xb, yb: F.cross_entropy(out, yb), epochs=8, lr=1e-3)
    print("student")
    student = fit(mlp(24, 48, 6), x, y, distillation(teacher), epochs=20, lr=3e-3)
    print(f"result: {accuracy(student, x_test, y_test):.4f}")


main()
