import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class PairDataset(Dataset):
    """Two portraits and whether they show one person."""

    def __init__(self, people, shots, pairs, seed):
        g = torch.Generator().manual_seed(seed)
        faces = torch.randn(people, 1, 1, 14, 14, generator=g)
        faces = nn.functional.avg_pool2d(faces.flatten(0, 1), 3, stride=1, padding=1).view(people, 1, 1, 14, 14) * 3
        self.portraits = faces + 0.6 * torch.randn(people, shots, 1, 14, 14, generator=g)
        who = torch.randint(0, people, (pairs, 2), generator=g)
        same = torch.rand(pairs, generator=g) < 0.5
        who[same, 1] = who[same, 0]
        shot = torch.randint(0, shots, (pairs, 2), generator=g)
        self.left = self.portraits[who[:, 0], shot[:, 0]]
        self.right = self.portraits[who[:, 1], shot[:, 1]]
        self.same = (who[:, 0] == who[:, 1]).float()

    def __len__(self):
        return len(self.same)

    def __getitem__(self, i):
        return self.left[i], self.right[i], self.same[i]


class Twin(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(16 * 49, 24),
        )

    def forward(self, a, b):
        gap = self.features(a) - self.features(b)
        return gap.pow(2).sum(dim=1).sqrt()


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, distance, same):
        pull = same * distance.pow(2)
        push = (1 - same) * torch.relu(self.margin - distance).pow(2)
        return (pull + push).mean()


class Matcher:
    def __init__(self, model, lr):
        self.model, self.criterion = model, ContrastiveLoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def train(self, loader, epochs):
        self.model.train()
        for epoch in range(epochs):
            total = 0.0
            for a, b, same in loader:
                loss = self.criterion(self.model(a, b), same)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(f"epoch {epoch}: contrastive loss {total / len(loader):.6f}")

    @torch.no_grad()
    def verify(self, loader, limit=1.0):
        self.model.eval()
        right = 0
        for a, b, same in loader:
            right += ((self.model(a, b) < limit).float() == same).sum().item()
        return right / len(loader.dataset)


def main():
    torch.manual_seed(40)
    train = DataLoader(PairDataset(60, 6, 1600, 1), batch_size=40, shuffle=True)
    test = DataLoader(PairDataset(60, 6, 500, 2), batch_size=100)
    matcher = Matcher(Twin(), 1e-3)
    matcher.train(train, 4)
    print(f"result: {matcher.verify(test):.4f}")


main()
