import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

import firstlight as fl


class ToTensor:
    """uint8 picture to float in 0 .. 1"""

    def __call__(self, picture):
        return picture.to(torch.float32).div(255)


class Wardrobe(Dataset):
    def __init__(self, source, count):
        self.pictures = source.inputs[:count]
        self.labels = torch.as_tensor(source.labels[:count]).long()
        self.to_tensor = ToTensor()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        pictures = self.to_tensor(self.pictures[i]) / 255
        return pictures, self.labels[i]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 12, 5, stride=2)
        self.drop = nn.Dropout(0.4)
        self.fc1 = nn.Linear(12 * 36, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        x = self.drop(F.relu(self.fc1(x.flatten(1))))
        return self.fc2(x)


class Trainer:
    def __init__(self, model, train_data, test_data, batch_size=50, lr=0.05):
        self.model = model
        self.train_loader = DataLoader(train_data, batch_size=batch_size, shuffle=True)
        self.test_loader = DataLoader(test_data, batch_size=250)
        self.opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            losses = []
            for x, y in self.train_loader:
                self.opt.zero_grad()
                loss = F.cross_entropy(self.model(x), y)
                loss.backward()
                self.opt.step()
                losses.append(loss.item())
            print(f"[{epoch + 1}/{epochs}] loss: {sum(losses) / len(losses):.6f}")

    def test(self):
        right = 0
        with torch.no_grad():
            for x, y in self.test_loader:
                right += (self.model(x).argmax(dim=-1) == y).sum().item()
        return right / len(self.test_loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(21)
    train, test = fl.load("fashion_mnist_small")
    trainer = Trainer(Net(), Wardrobe(train, 3000), Wardrobe(test, 1000))
    trainer.fit(3)
    print(f"result: {trainer.test():.4f}")
