import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def questionnaire(n, g):
    answers = torch.randint(0, 3, (n, 5), generator=g)
    mood = answers[:, 0] * 1.2 - answers[:, 1] + (answers[:, 2] == answers[:, 3]) * 1.5 - 0.6
    agrees = (mood + 0.4 * torch.randn(n, generator=g) > 0).long()
    return answers.float() - 1, agrees


def train_epoch(net, loader, opt):
    total = 0.0
    for x, y in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        total += loss.item() * len(x)
    return total / len(loader.dataset)


def test_accuracy(net, loader):
    hits = 0
    with torch.no_grad():
        for x, y in loader:
            hits += net(x).argmax(1).eq(y).sum().item()
    return hits / len(loader.dataset)


torch.manual_seed(0)
g = torch.Generator().manual_seed(8)
people = TensorDataset(*questionnaire(1500, g))
train_people, test_people = random_split(people, [1200, 300], generator=g)
net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
loader = DataLoader(train_people, batch_size=40, shuffle=True)
for epoch in range(5):
    print(f"epoch {epoch}: {train_epoch(net, loader, opt):.6f}")
print(f"result: {test_accuracy(net, DataLoader(test_people, batch_size=100)):.4f}")
