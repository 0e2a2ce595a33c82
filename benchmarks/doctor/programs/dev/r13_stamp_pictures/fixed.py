# %%
import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(13)
rng = np.random.default_rng(13)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# %% stamps of five countries, scanned with 20 x 20 pixels and 8 bits
def scan(n):
    country = rng.integers(0, 5, n)
    sheet = rng.normal(110, 22, (n, 20, 20))
    for picture, c in zip(sheet, country):
        dy, dx = rng.integers(-2, 3, 2)
        if c == 0:
            picture[8 + dy:12 + dy] += 55
        elif c == 1:
            picture[:, 8 + dx:12 + dx] += 55
        elif c == 2:
            picture[5 + dy:15 + dy, 5 + dx:15 + dx] += 40
        elif c == 3:
            picture[4 + dy:8 + dy, 4 + dx:8 + dx] += 60
            picture[11 + dy:15 + dy, 11 + dx:15 + dx] += 60
        else:
            np.fill_diagonal(picture[2:, 2 + dx:], 190)
    return torch.from_numpy(sheet.clip(0, 255).astype(np.uint8)), torch.from_numpy(country)


pixels, countries = scan(3000)
test_pixels, test_countries = scan(600)

# %%
album = nn.Sequential(
    nn.Unflatten(1, (1, 20)),
    nn.Conv2d(1, 8, 5, stride=2, padding=2), nn.ReLU(),
    nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(),
    nn.Flatten(), nn.Linear(16 * 25, 5),
).to(device)
opt = torch.optim.Adam(album.parameters(), lr=2e-3)

# %%
album.train()
images, labels = pixels.to(device, torch.float32) / 255, countries.to(device)
for epoch in range(5):
    loss_sum = 0.0
    for rows in torch.randperm(len(pixels)).to(device).split(60):
        loss = nn.functional.cross_entropy(album(images[rows]), labels[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        loss_sum += loss.item() * len(rows)
    print(f"epoch {epoch + 1}/5   loss {loss_sum / len(pixels):.4f}")

# %%
album.eval()
with torch.no_grad():
    guess = album(test_pixels.to(device, torch.float32) / 255).argmax(1).cpu()
print(f"right country: {(guess == test_countries).float().mean().item():.1%}")
