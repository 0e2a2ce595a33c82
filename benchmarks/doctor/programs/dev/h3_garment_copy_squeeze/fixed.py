# %%
import torch
from torch import nn

import firstlight as fl

torch.manual_seed(31)

# %%
train, test = fl.load("fashion_mnist_small")
images = train[:3000][0].flatten(1)
test_images = test[:800][0].flatten(1)
average = images.mean(dim=0)
images.shape, test_images.shape


# %%
class Squeeze(nn.Module):
    def __init__(self, code=24):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 192), nn.ReLU(), nn.Linear(192, code))
        self.decoder = nn.Sequential(nn.Linear(code, 192), nn.ReLU(), nn.Linear(192, 784))

    def forward(self, x):
        return self.decoder(self.encoder(x))


autoencoder = Squeeze()

# %%
distance = nn.MSELoss()
batch_size, n_epochs = 100, 12

# %%
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=1e-3)
for epoch in range(n_epochs):
    autoencoder.train()
    losses = []
    for chunk in images[torch.randperm(len(images))].split(batch_size):
        copied = autoencoder(chunk)
        loss = distance(copied, chunk)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1} loss {sum(losses) / len(losses):.6f}")

# %%
autoencoder.eval()
with torch.no_grad():
    left_over = (autoencoder(test_images) - test_images).square().sum()
    at_first = (test_images - average).square().sum()
print(f"result: {1 - (left_over / at_first).item():.4f}")
