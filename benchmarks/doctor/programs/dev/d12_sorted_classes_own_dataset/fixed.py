import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

SEGMENTS = ["abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg"]
BARS = {
    "a": (slice(1, 2), slice(2, 7)), "b": (slice(2, 6), slice(7, 8)), "c": (slice(7, 11), slice(7, 8)),
    "d": (slice(11, 12), slice(2, 7)), "e": (slice(7, 11), slice(1, 2)), "f": (slice(2, 6), slice(1, 2)),
    "g": (slice(6, 7), slice(2, 7)),
}


class DisplayDigits(Dataset):
    def __init__(self, copies):
        self.data = []
        for digit, lit in enumerate(SEGMENTS):
            clean = torch.zeros(13, 9)
            for bar in lit:
                clean[BARS[bar]] = 1.0
            for _ in range(copies):
                self.data.append((clean + 0.5 * torch.randn(13, 9), digit))

    def __len__(self):
        return len(self.data)

    def __getitem__(self, item):
        return self.data[item]


class DigitModel:
    def __init__(self, lr=0.01):
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(117, 40), nn.ReLU(), nn.Linear(40, 10))
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=lr, momentum=0.9)

    def fit(self, dataset, epochs):
        loader = DataLoader(dataset, batch_size=25, shuffle=True)
        for epoch in range(epochs):
            loss_sum, samples = 0.0, 0
            for images, digits in loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.net(images), digits)
                loss.backward()
                self.optimizer.step()
                loss_sum += loss.item() * len(digits)
                samples += len(digits)
            print(f"epoch {epoch} loss {loss_sum / samples:.6f}")

    @torch.no_grad()
    def score(self, dataset):
        self.net.eval()
        right = 0
        for images, digits in DataLoader(dataset, batch_size=100):
            right += (self.net(images).argmax(1) == digits).sum().item()
        return right / len(dataset)


torch.manual_seed(12)
train_set, test_set = DisplayDigits(150), DisplayDigits(40)
model = DigitModel()
model.fit(train_set, epochs=6)
print(f"result: {model.score(test_set):.4f}")
