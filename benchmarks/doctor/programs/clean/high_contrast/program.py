import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(104)
label = torch.randint(0, 4, (1400,))
period = torch.tensor([2, 3, 4, 6])[label]
phase = torch.randint(0, 6, (1400, 1))
lines = ((torch.arange(16).unsqueeze(0) + phase) % period.unsqueeze(1) < period.unsqueeze(1) / 2).float()
black_white = (255 * lines.unsqueeze(2).expand(-1, 16, 16)).to(torch.uint8)
flip = torch.rand(1400, 16, 16) < 0.12
black_white = torch.where(flip, 255 - black_white, black_white)

pictures = black_white.float() * 2 / 255 - 1
data = TensorDataset(pictures.unsqueeze(1), label)
train = DataLoader(torch.utils.data.Subset(data, range(1120)), batch_size=28, shuffle=True)
test = DataLoader(torch.utils.data.Subset(data, range(1120, 1400)), batch_size=70)
net = nn.Sequential(nn.Conv2d(1, 12, (7, 3), stride=(1, 3)), nn.ReLU(), nn.AdaptiveAvgPool2d((3, 1)), nn.Flatten(), nn.Linear(36, 4))
opt = torch.optim.RMSprop(net.parameters(), lr=3e-3)
for epoch in range(5):
    running = 0.0
    for x, y in train:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        running += loss.item()
    print("epoch", epoch, "loss", f"{running / len(train):.6f}")
right = 0
with torch.no_grad():
    for x, y in test:
        right += (net(x).argmax(1) == y).sum().item()
print(f"result: {right / 280:.4f}")
