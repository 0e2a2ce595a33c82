import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def pump_readings(n, gen, states=6, sensors=24):
    basis = torch.randn(states, 3, sensors, generator=torch.Generator().manual_seed(0))
    state = torch.randint(states, (n,), generator=gen)
    blend = torch.softmax(2.0 * torch.randn(n, 3, generator=gen), dim=1)
    x = torch.einsum("nk,nkd->nd", blend, basis[state]) + 0.55 * torch.randn(n, sensors, generator=gen)
    return x, state


def mlp(inputs, hidden, depth, outputs):
    layers, width = [], inputs
    for _ in range(depth):
        layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(0.1)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, outputs))


class Distiller:
    def __init__(self, teacher, student, loader, temperature=3.0):
        self.teacher, self.student = teacher, student
        self.loader, self.t = loader, temperature

    def _run(self, net, epochs, lr, objective):
        opt = torch.optim.Adam(net.parameters(), lr=lr)
        for epoch in range(epochs):
            net.train()
            total = 0.0
            for x, y in self.loader:
                opt.zero_grad()
                loss = objective(x, y)
                loss.backward()
                opt.step()
                total += loss.item() * len(y)
            print(f"  epoch {epoch} loss {total / len(self.loader.dataset):.4f}")
        net.eval()

    def teach(self, epochs):
        print("teacher")
        self._run(self.teacher, epochs, 1e-3, lambda x, y: F.cross_entropy(self.teacher(x), y))
        self.teacher.requires_grad_(False)

    def soft_loss(self, x):
        with torch.no_grad():
            wanted = F.log_softmax(self.teacher(x) / self.t, dim=1)
        mine = F.log_softmax(self.student(x) / self.t, dim=1)
        return F.kl_div(wanted, mine, reduction="batchmean", log_target=True) * self.t ** 2

    def distil(self, epochs):
        print("student")
        self._run(self.student, epochs, 3e-3, lambda x, y: self.soft_loss(x))

    @torch.no_grad()
    def accuracy(self, x, y):
        self.student.eval()
        return (self.student(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(29)
    gen = torch.Generator().manual_seed(290)
    x, y = pump_readings(4500, gen)
    train_x, test_x = x[:3500], x[3500:]
    mean, std = train_x.mean(0), train_x.std(0)
    loader = DataLoader(TensorDataset((train_x - mean) / std, y[:3500]), batch_size=100, shuffle=True)
    job = Distiller(mlp(24, 256, 2, 6), mlp(24, 128, 1, 6), loader)
    job.teach(epochs=8)
    job.distil(epochs=12)
    print(f"result: {job.accuracy((test_x - mean) / std, y[3500:]):.4f}")


if __name__ == "__main__":
    main()
