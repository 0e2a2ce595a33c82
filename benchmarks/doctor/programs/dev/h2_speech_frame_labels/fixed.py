# %%
import torch
from torch import nn

torch.manual_seed(29)

# %%
# every frame has a sound; sounds last some frames and colour their neighbours
def speech(n, frames=48, sounds=5):
    change = torch.rand(n, frames) < 0.2
    change[:, 0] = True
    fresh = torch.randint(0, sounds, (n, frames))
    last = torch.cummax(torch.where(change, torch.arange(frames).expand(n, frames), 0), dim=1).values
    sound = fresh.gather(1, last)
    table = torch.randn(sounds, 12, generator=torch.Generator().manual_seed(1))
    x = table[sound].transpose(1, 2)
    x = nn.functional.avg_pool1d(x, 3, stride=1, padding=1)
    return x + 0.8 * torch.randn(n, 12, frames), sound


train_x, train_y = speech(1200)
test_x, test_y = speech(300)

# %%
class FrameNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.front = nn.Sequential(nn.Conv1d(12, 64, 5, padding=2), nn.ReLU())
        self.middle = nn.Sequential(nn.Conv1d(64, 64, 5, padding=2), nn.ReLU())
        self.sounds = nn.Conv1d(64, 5, 1)

    def forward(self, x):
        return self.sounds(self.middle(self.front(x)))


net = FrameNet()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

# %%
# keep what the middle layer says, to look at it afterwards
middle_output = []


def remember(module, inputs, output):
    middle_output[:] = [output.detach()]


net.middle.register_forward_hook(remember)

# %%
for epoch in range(5):
    net.train()
    total = 0.0
    for rows in torch.randperm(1200).split(40):
        optimizer.zero_grad()
        loss = criterion(net(train_x[rows]), train_y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() / 30
    print(f"epoch {epoch} loss {total:.6f}")

# %%
net.eval()
with torch.no_grad():
    frame_acc = (net(test_x).argmax(dim=1) == test_y).float().mean().item()
print("active share of the middle layer", round((middle_output[-1] > 0).float().mean().item(), 3))

# %%
print(f"result: {frame_acc:.4f}")
