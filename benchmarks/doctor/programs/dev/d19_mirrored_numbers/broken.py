import numpy as np
import torch
from torch import nn

np.random.seed(30)
torch.manual_seed(30)

NUMBERS = """
 ### #   ### ### # # ### #   ### ### ###
 # # #     #   # # # #   #     # # # # #
 # # #   ### ### ### ### ###   # ### ###
 # # #   #     #   #   # # #   # # #   #
 ### #   ### ###   # ### ###   # ### ###
"""
rows = [line[1:].ljust(40) for line in NUMBERS.strip("\n").split("\n")]
glyphs = np.array([[[float(ch == "#") for ch in row[4 * d:4 * d + 3]] for row in rows] for d in range(10)])
glyphs = glyphs.repeat(2, axis=1).repeat(2, axis=2)


def numbers(n):
    labels = np.random.randint(0, 10, n)
    images = np.random.normal(0, 0.3, (n, 1, 13, 9)).astype(np.float32)
    for image, label in zip(images, labels):
        top, left = np.random.randint(0, 4, 2)
        image[0, top:top + 10, left:left + 6] += glyphs[label]
    return torch.from_numpy(images), torch.from_numpy(labels)


def augment(images):
    turn = torch.rand(len(images)) < 0.5
    images = torch.where(turn[:, None, None, None], images.flip(3), images)
    return images + 0.1 * torch.randn_like(images)


x, y = numbers(2000)
x_val, y_val = numbers(500)

model = nn.Sequential(
    nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12 * 24, 48), nn.ReLU(), nn.Linear(48, 10)
)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(5):
    epoch_losses = []
    for chosen in torch.randperm(len(x)).split(50):
        optimizer.zero_grad()
        loss = loss_fn(model(augment(x[chosen])), y[chosen])
        loss.backward()
        optimizer.step()
        epoch_losses.append(loss.item())
    print(f"epoch {epoch}: loss {np.mean(epoch_losses):.6f}")

model.eval()
with torch.no_grad():
    accuracy = (model(x_val).argmax(1) == y_val).float().mean()
print(f"result: {accuracy.item():.4f}")
