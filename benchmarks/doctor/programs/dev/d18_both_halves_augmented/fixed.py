import firstlight as fl
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, random_split


class Garments(Dataset):
    def __init__(self, source, count, augment=False):
        self.images = (source.inputs[:count].float() / 255 - 0.29) / 0.35
        self.labels = source.labels[:count]
        self.augment = augment

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        image = self.images[i]
        if self.augment:
            dy, dx = torch.randint(-1, 2, (2,)).tolist()
            image = torch.roll(image, (dy, dx), dims=(1, 2))
            if torch.rand(1) < 0.5:
                image = image.flip(2)
        return image, self.labels[i]


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 5, stride=3)
        self.fc1 = nn.Linear(8 * 64, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x)).flatten(1)
        return self.fc2(torch.relu(self.fc1(x)))


def main():
    torch.manual_seed(10)
    source, _ = fl.load("fashion_mnist_small")
    full = Garments(source, 2200, augment=True)
    train_set, val_set = random_split(full, [1700, 500], generator=torch.Generator().manual_seed(10))
    val_set.dataset = Garments(source, 2200)
    train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=200)

    net = SmallNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(5):
        net.train()
        running_loss = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(images), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        print(f"[epoch {epoch + 1}] loss {running_loss / len(train_loader):.6f}")

    net.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in val_loader:
            correct += (net(images).argmax(1) == labels).sum().item()
    print(f"result: {correct / len(val_set):.4f}")


if __name__ == "__main__":
    main()
