import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
import firstlight as fl


class RandomErasing:
    def __init__(self, side):
        self.side = side

    def __call__(self, image):
        if torch.rand(()) < 0.5:
            image = image.clone()
            top, left = torch.randint(0, 28 - self.side, (2,)).tolist()
            image[:, top:top + self.side, left:left + self.side] = 0.0
        return image


class Clothes(Dataset):
    def __init__(self, images, labels, transform=None):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        image = self.images[i]
        if self.transform is not None:
            image = self.transform(image)
        return image, self.labels[i]


torch.manual_seed(79)
train, test = fl.load("fashion_mnist_small")
train_set = Clothes(*train[:2000], transform=RandomErasing(7))
test_set = Clothes(*test[:800])
model = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(196, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(4):
    model.train()
    total = 0.0
    for images, labels in DataLoader(train_set, batch_size=50, shuffle=True):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    print(f"epoch {epoch} loss {total / len(train_set):.6f}")
model.eval()
hits = 0
with torch.no_grad():
    for images, labels in DataLoader(test_set, batch_size=200):
        hits += (model(images).argmax(1) == labels).sum().item()
print(f"result: {hits / len(test_set):.4f}")
