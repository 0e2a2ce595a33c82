# %%
import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(16)
torch.manual_seed(16)

# %%
def sketch(kind):
    img = rng.normal(0, 0.2, (1, 14, 14)).astype("float32")
    r, c = rng.integers(4, 10, 2)
    if kind == 0:
        img[0, r - 3:r + 4, c] += 1
    elif kind == 1:
        img[0, r, c - 3:c + 4] += 1
    elif kind == 2:
        img[0, r - 2:r + 3, c - 2:c + 3] += 0.5
    else:
        img[0, r - 2, c - 2:c + 3] += 1
        img[0, r + 2, c - 2:c + 3] += 1
    return img

def mirrored(images):
    """Turns about half of the images around, left to right."""
    flip = rng.random(len(images)) < 0.5
    return np.where(flip[:, None, None, None], images[..., ::-1], images)

kinds = rng.integers(0, 4, 900)
images = np.stack([sketch(k) for k in kinds])

# %%
order = rng.permutation(len(images))
cut = len(images) * 3 // 4
train_images, test_images = images[order[:cut]], images[order[cut:]]
train_kinds, test_kinds = kinds[order[:cut]], kinds[order[cut:]]
train_images, train_kinds = np.concatenate([train_images, mirrored(train_images)]), np.concatenate([train_kinds, train_kinds])

# %%
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(1),
    nn.Flatten(), nn.Linear(8, 4),
)
opt = torch.optim.Adam(net.parameters(), lr=0.01)
X, Y = torch.from_numpy(train_images), torch.from_numpy(train_kinds)

# %%
for epoch in range(5):
    total = 0.0
    for rows in torch.randperm(len(X)).split(50):
        loss = nn.functional.cross_entropy(net(X[rows]), Y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(rows)
    print(f"epoch {epoch} | {total / len(X):.6f}")

# %%
net.eval()
with torch.no_grad():
    guess = net(torch.from_numpy(test_images)).argmax(1).numpy()
print(f"result: {(guess == test_kinds).mean():.4f}")
