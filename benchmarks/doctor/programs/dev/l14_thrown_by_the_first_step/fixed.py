import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

generator = torch.Generator().manual_seed(5)
torch.manual_seed(5)
kinds = torch.randint(0, 3, (900,), generator=generator)
patterns = torch.rand(3, 1, 8, 8, generator=generator)
pictures = (patterns[kinds] + 0.4 * torch.randn(900, 1, 8, 8, generator=generator)).clamp(0, 1)
loader = DataLoader(TensorDataset(pictures[:700], kinds[:700]), batch_size=28, shuffle=True, generator=generator)
test_images, test_targets = pictures[700:], kinds[700:]
cnn = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 32), nn.ReLU(), nn.Linear(32, 3))
opt = torch.optim.SGD(cnn.parameters(), lr=0.1)
for e in range(4):
    for img, target in loader:
        opt.zero_grad()
        loss = F.cross_entropy(cnn(img), target)
        loss.backward()
        opt.step()
    print(e, loss.item())
cnn.eval()
with torch.inference_mode():
    hits = sum(int((cnn(x).argmax(-1) == y).sum()) for x, y in zip(test_images.split(50), test_targets.split(50)))
print(f"result: {hits / len(test_images):.4f}")
