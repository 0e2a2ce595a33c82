import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(3)
grid = torch.linspace(0, 1, 24)
content = torch.zeros(1, 3, 24, 24)
content[:, 0, 6:18, 6:18] = 1.0
content[:, 2, 10:14, :] = 0.7
style = 0.5 + 0.5 * torch.sin(20 * (grid[:, None] + grid[None])).expand(1, 3, 24, 24) * torch.tensor([1.0, 0.3, -0.8]).view(1, 3, 1, 1)

features = nn.ModuleList([nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 24, 3, padding=1, stride=2)])
for p in features.parameters():
    p.requires_grad_(False)
features.eval()


def look(picture):
    seen = []
    for conv in features:
        picture = torch.relu(conv(picture))
        seen.append(picture)
    return seen


def gram(f):
    b, c, h, w = f.shape
    flat = f.view(b, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)


with torch.no_grad():
    wanted_content = look(content)[1]
    wanted_grams = [gram(f) for f in look(style)]
    start = sum(F.mse_loss(gram(f), g).item() for f, g in zip(look(content), wanted_grams))

picture = content.clone().requires_grad_(True)
optimizer = torch.optim.Adam([picture], lr=0.03)
for step in range(1, 151):
    optimizer.zero_grad()
    seen = look(picture)
    content_loss = F.mse_loss(seen[1], wanted_content)
    style_loss = sum(F.mse_loss(gram(f), g) for f, g in zip(seen, wanted_grams))
    loss = 0.02 * content_loss + 300 * style_loss
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        picture.clamp_(0, 1)
    if step % 50 == 0:
        print(f"step {step} content {content_loss.item():.6f} style {style_loss.item():.6f}")

with torch.no_grad():
    end = sum(F.mse_loss(gram(f), g).item() for f, g in zip(look(picture), wanted_grams))
print(f"result: {1 - end / start:.4f}")
