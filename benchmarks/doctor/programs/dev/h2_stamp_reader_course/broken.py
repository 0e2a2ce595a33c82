import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(3)

# ten stamps of 12 x 12 pixels; every picture is a stamp with ink noise, moved by up to one pixel
STAMPS = (torch.rand(10, 1, 12, 12) > 0.55).float()


class StampPictures(Dataset):
    def __init__(self, count, seed):
        g = torch.Generator().manual_seed(seed)
        ids = torch.randint(0, 10, (count,), generator=g)
        pictures = STAMPS[ids]
        shift = torch.randint(-1, 2, (count, 2), generator=g).tolist()
        pictures = torch.stack([torch.roll(p, tuple(s), dims=(1, 2)) for p, s in zip(pictures, shift)])
        self.pictures = pictures + 0.45 * torch.randn(pictures.shape, generator=g)
        # class numbers for the loss
        self.labels = (ids - 1).clamp(min=0)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.pictures[i], self.labels[i]


class StampNet(nn.Module):
    def __init__(self, width=24, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.act = nn.GELU()
        self.head = nn.Linear(2 * width * 9, classes)

    def forward(self, x):
        x = self.pool(self.act(self.conv1(x)))
        x = self.pool(self.act(self.conv2(x)))
        return self.head(x.flatten(1))


class Learner:
    def __init__(self, model, lr):
        self.model = model
        self.loss_fn = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def one_epoch(self, loader):
        self.model.train()
        total = 0.0
        for pictures, labels in loader:
            self.optimizer.zero_grad()
            loss = self.loss_fn(self.model(pictures), labels)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(labels)
        return total / len(loader.dataset)

    @torch.no_grad()
    def accuracy(self, loader):
        self.model.eval()
        hits = 0
        for pictures, labels in loader:
            hits += (self.model(pictures).argmax(1) == labels).sum().item()
        return hits / len(loader.dataset)


train_loader = DataLoader(StampPictures(2400, seed=1), batch_size=48, shuffle=True)
test_loader = DataLoader(StampPictures(600, seed=2), batch_size=200)
learner = Learner(StampNet(), lr=1e-3)
for epoch in range(4):
    print(f"epoch {epoch + 1}: {learner.one_epoch(train_loader):.6f}")
print(f"result: {learner.accuracy(test_loader):.4f}")
