import math
import torch
import torch.nn as nn
import torch.nn.init as init
import torch.optim as optim
import firstlight as fl


class SuperNet(nn.Module):
    def __init__(self, upscale_factor=2):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 12, 5, 1, 2)
        self.conv2 = nn.Conv2d(12, 8, 3, 1, 1)
        self.conv3 = nn.Conv2d(8, upscale_factor ** 2, 3, 1, 1)
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        return self.pixel_shuffle(self.conv3(x))


torch.manual_seed(123)
train, test = fl.load("fashion_mnist_small")
sharp = train.inputs[:800].float() / 255
sharp_test = test.inputs[:200].float() / 255
pool = nn.AvgPool2d(2)
blurred, blurred_test = pool(sharp), pool(sharp_test)

model = SuperNet()
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(1, 5):
    epoch_loss = 0
    for rows in torch.randperm(800).split(20):
        optimizer.zero_grad()
        loss = criterion(model(blurred[rows]), sharp[rows])
        epoch_loss += loss.item()
        loss.backward()
        optimizer.step()
    print(f"===> Epoch {epoch} Complete: Avg. Loss: {epoch_loss / 40:.6f}")

with torch.no_grad():
    mse = criterion(model(blurred_test), sharp_test)
print(f"Avg. PSNR: {10 * math.log10(1 / mse.item()):.4f} dB")
print(f"result: {1 - (mse / sharp_test.var()).item():.4f}")
