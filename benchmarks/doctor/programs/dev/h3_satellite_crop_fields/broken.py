# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(64)

# %%
# fields of 12 by 12 pixels in 4 bands, 5 crops
crops = torch.randn(5, 4, 3, 3)


def fields(count):
    crop = torch.randint(0, 5, (count,))
    furrows = crops[crop].repeat(1, 1, 4, 4)
    shift = torch.randint(0, 3, (count,))
    furrows = torch.stack([f.roll(int(s), dims=2) for f, s in zip(furrows, shift)])
    return 0.35 * furrows + torch.randn(count, 4, 12, 12), crop


x, y = fields(1600)
x_test, y_test = fields(500)
loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)


# %%
def block(c_in, c_out):
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU(), nn.MaxPool2d(2))


net = nn.Sequential(block(4, 16), block(16, 32), nn.Flatten(), nn.Dropout(0.25), nn.Linear(32 * 9, 5))
sum(p.numel() for p in net.parameters())


# %%
def right_share(net, x, y, chunk=100):
    right = 0
    with torch.no_grad():
        for x_part, y_part in zip(x.split(chunk), y.split(chunk)):
            right += (net(x_part).argmax(dim=1) == y_part).sum().item()
    return right / len(y)


# %%
optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(10):
    net.train()
    running, steps = 0.0, 0
    for x_batch, y_batch in loader:
        optimizer.zero_grad()
        loss = criterion(net(x_batch), y_batch)
        loss.backward()
        optimizer.step()
        running, steps = running + loss.item(), steps + 1
    print(f"epoch {epoch + 1:2d}: loss {running / steps:.6f}")

# %%
print(f"result: {right_share(net, x_test, y_test):.4f}")
