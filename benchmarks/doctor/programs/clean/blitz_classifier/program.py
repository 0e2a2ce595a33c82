# %%
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
classes = ("sun", "stripe", "ring", "patch")

# %%
def paint(n):
    labels = torch.randint(0, 4, (n,))
    yy, xx = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    centre = torch.rand(n, 2, 1, 1) * 6 + 5
    far = ((yy - centre[:, 0]) ** 2 + (xx - centre[:, 1]) ** 2).sqrt()
    square = (yy - centre[:, 0]).abs().maximum((xx - centre[:, 1]).abs())
    forms = torch.stack([far < 4, (yy - centre[:, 0]).abs() < 1.5, (far - 4).abs() < 1.2, square < 3.2], 1).float()
    grey = forms[torch.arange(n), labels]
    colour = 0.4 + 0.6 * torch.rand(n, 3, 1, 1)
    images = colour * grey.unsqueeze(1) + 0.25 * torch.rand(n, 3, 16, 16)
    return (images - 0.3) / 0.3, labels


trainloader = DataLoader(TensorDataset(*paint(1600)), batch_size=8, shuffle=True)
testloader = DataLoader(TensorDataset(*paint(400)), batch_size=8, shuffle=False)

# %%
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 12, 3)
        self.fc1 = nn.Linear(12 * 2 * 2, 40)
        self.fc2 = nn.Linear(40, 4)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

# %%
for epoch in range(3):
    running_loss = 0.0
    for i, data in enumerate(trainloader, 0):
        inputs, labels = data
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        if i % 100 == 99:
            print(f"[{epoch + 1}, {i + 1:5d}] loss: {running_loss / 100:.6f}")
            running_loss = 0.0
print("Finished Training")

# %%
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "net.pth")
    torch.save(net.state_dict(), path)
    net = Net()
    net.load_state_dict(torch.load(path, weights_only=True))

# %%
correct_pred = {name: 0 for name in classes}
total_pred = {name: 0 for name in classes}
with torch.no_grad():
    for images, labels in testloader:
        _, predictions = torch.max(net(images), 1)
        for label, prediction in zip(labels, predictions):
            if label == prediction:
                correct_pred[classes[label]] += 1
            total_pred[classes[label]] += 1
for name, count in correct_pred.items():
    print(f"Accuracy for class: {name:6s} is {100 * count / total_pred[name]:.1f} %")
print(f"result: {sum(correct_pred.values()) / sum(total_pred.values()):.4f}")
