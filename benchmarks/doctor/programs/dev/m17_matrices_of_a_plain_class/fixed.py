"""A net for cloud types, its matrices kept in a class with parameters()."""
import torch


class Net:
    def __init__(self, sizes):
        self.matrices = []
        self.offsets = []
        for a, b in zip(sizes, sizes[1:]):
            self.matrices.append(torch.randn(a, b) * a**-0.5)
            self.offsets.append(torch.zeros(b))
        for p in self.parameters():
            p.requires_grad_(True)

    def parameters(self):
        return [*self.matrices, *self.offsets]

    def __call__(self, x):
        *inner, (last, shift) = zip(self.matrices, self.offsets)
        for matrix, offset in inner:
            x = torch.relu(x @ matrix + offset)
        return x @ last + shift


def xent(scores, kind):
    logp = scores.log_softmax(1)
    return -(logp * torch.nn.functional.one_hot(kind, 5)).sum(1).mean()


torch.manual_seed(9)
spots = torch.randn(15, 30)


def clouds(n):
    spot = torch.randint(0, 15, (n,))
    return spots[spot] + 1.0 * torch.randn(n, 30), spot % 5


x_train, k_train = clouds(2000)
x_test, k_test = clouds(600)
net = Net([30, 128, 128, 5])
sgd = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
for epoch in range(6):
    total = 0.0
    for rows in torch.randperm(len(x_train)).split(64):
        sgd.zero_grad()
        loss = xent(net(x_train[rows]), k_train[rows])
        loss.backward()
        sgd.step()
        total += loss.item() * len(rows)
    print(f"epoch {epoch}: {total / len(x_train):.6f}")
with torch.no_grad():
    print(f"result: {(net(x_test).argmax(1) == k_test).float().mean().item():.4f}")
