import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class SensorNet(nn.Module):
    def __init__(self, steps, channels, classes):
        super().__init__()
        self.mix = nn.Linear(channels, 8)
        self.classify = nn.Sequential(nn.Linear(steps * 8, 48), nn.ReLU(), nn.Linear(48, classes))

    def forward(self, x):
        n = x.shape[0]
        x = torch.tanh(self.mix(x))
        x = x.permute(1, 0, 2).reshape(n, -1)
        return self.classify(x)


def sensor_data(n):
    """Three sensors over 20 steps; one of four gestures."""
    gesture = torch.randint(0, 4, (n,))
    time = torch.linspace(0, 1, 20)
    curves = torch.stack([
        torch.stack([time, 1 - time, torch.sin(6 * time)], 1),
        torch.stack([1 - time, time, torch.sin(6 * time)], 1),
        torch.stack([time, time, torch.cos(6 * time)], 1),
        torch.stack([torch.cos(6 * time), time, 1 - time], 1),
    ])
    return curves[gesture] + 0.7 * torch.randn(n, 20, 3), gesture


torch.manual_seed(80)
train = DataLoader(TensorDataset(*sensor_data(1280)), batch_size=64, shuffle=True)
test = DataLoader(TensorDataset(*sensor_data(320)), batch_size=64)

model = SensorNet(20, 3, 4)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(8):
    model.train()
    losses = []
    for x, gesture in train:
        optimizer.zero_grad()
        loss = criterion(model(x), gesture)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"Epoch {epoch + 1:>2}: loss = {sum(losses) / len(losses):.6f}")

model.eval()
right = 0
with torch.no_grad():
    for x, gesture in test:
        right += (model(x).argmax(1) == gesture).sum().item()
print(f"result: {right / 320:.4f}")
