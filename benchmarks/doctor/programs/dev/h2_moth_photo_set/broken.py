import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class MothDataset(Dataset):
    """Wings with spots: how many are bright decides the kind (none, one or two)."""

    def __init__(self, length: int, seed: int):
        torch.manual_seed(seed)
        self.images, self.labels = [], []
        for _ in range(length):
            label = int(torch.randint(3, (1,)))
            image = torch.randn(3, 16, 16) * 0.3
            for side in range(label):
                top = int(torch.randint(1, 12, (1,)))
                left = int(torch.randint(1, 4, (1,))) + 8 * side
                image[:, top:top + 4, left:left + 4] += 1.2
            self.images.append(image)
            self.labels.append(label)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        return self.images[idx], self.labels[idx]


class MothNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1, stride=2)
        self.bn2 = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, 3)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.fc(x)


def main():
    train_set, test_set = MothDataset(500, seed=1), MothDataset(200, seed=2)
    torch.manual_seed(3)
    train_loader = DataLoader(train_set, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=50)
    model = MothNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()

    for epoch in range(3):
        model.train()
        running_loss = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item() * images.size(0)
        print(f"Epoch {epoch + 1}, loss: {running_loss / len(train_set):.6f}")

    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in test_loader:
            correct += (model(images).argmax(dim=1) == labels).sum().item()
    print(f"result: {correct / len(test_set):.4f}")


if __name__ == "__main__":
    main()
