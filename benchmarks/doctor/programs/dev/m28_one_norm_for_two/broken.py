# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(55)

# %%
# Tyre prints: 14x14 pictures of four tread patterns in mud
def tread(n):
    kind = torch.randint(0, 4, (n,))
    r = torch.arange(14).float().view(1, 14, 1) + 4 * torch.rand(n, 1, 1)
    c = torch.arange(14).float().view(1, 1, 14) + 4 * torch.rand(n, 1, 1)
    zigzag = torch.sin(1.6 * (r + 2 * (c % 4 - 2).abs()))
    slash = torch.sin(1.1 * (r + c))
    lines = torch.sin(1.6 * c) + 0 * r
    blocks = torch.sin(1.3 * r) * torch.sin(1.3 * c) * 1.4
    picture = torch.stack([zigzag, slash, lines, blocks], 1)[torch.arange(n), kind]
    return (0.6 * picture + 0.8 * torch.randn(n, 14, 14)).unsqueeze(1), kind


x_train, y_train = tread(1400)
x_test, y_test = tread(500)

# %%
class TreadNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.bn = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16 * 9, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn(self.conv2(x))), 2)
        return self.fc(x.flatten(1))


net = TreadNet()
opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)

# %%
for epoch in range(5):
    net.train()
    total = 0.0
    for idx in torch.randperm(1400).split(35):
        loss = F.cross_entropy(net(x_train[idx]), y_train[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch}: loss {total / 40:.4f}")

# %%
net.eval()
with torch.no_grad():
    print(f"test accuracy: {(net(x_test).argmax(1) == y_test).float().mean().item():.4f}")
