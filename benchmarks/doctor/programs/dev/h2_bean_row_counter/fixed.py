# %%
import torch
import torch.nn as nn
import torch.optim as optim
import firstlight as fl

SEED = 55
torch.manual_seed(SEED)

# %%
train_ds, test_ds = fl.load("fashion_mnist_small")
train_ds, valid_ds = train_ds.subset(range(3500)).split_off(0.15, seed=SEED)

# %%
class SmallCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_a = nn.Conv2d(1, 12, kernel_size=5, stride=2)
        self.conv_b = nn.Conv2d(12, 24, kernel_size=3)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(24 * 5 * 5, 96)
        self.classify = nn.Linear(96, 10)
        self.drop = nn.Dropout(0.2)

    def forward(self, x):
        x = torch.relu(self.conv_a(x))
        x = self.pool(torch.relu(self.conv_b(x)))
        x = torch.relu(self.hidden(x.view(x.size(0), -1)))
        x = self.drop(x)
        return self.classify(x)

# %%
def evaluate(net, dataset):
    net.eval()
    good = total = 0
    with torch.no_grad():
        for images, labels in dataset.batches(200):
            good += (net(images).argmax(1) == labels).sum().item()
            total += len(labels)
    return good / total

# %%
net = SmallCNN()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(net.parameters(), lr=1.5e-3)
scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.7)
for epoch in range(3):
    net.train()
    total_loss, steps = 0.0, 0
    for images, labels in train_ds.batches(50, shuffle=True, seed=epoch):
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
        steps += 1
    scheduler.step()
    print(f"epoch {epoch} | loss {total_loss / steps:.6f} | valid {evaluate(net, valid_ds):.4f}")

# %%
print(f"result: {evaluate(net, test_ds):.4f}")
