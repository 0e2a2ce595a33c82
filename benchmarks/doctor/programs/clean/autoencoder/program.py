# %%
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader

torch.manual_seed(40)
factors = torch.randn(2000, 3)
spread = torch.randn(3, 20)
data = torch.tanh(factors @ spread) + 0.05 * torch.randn(2000, 20)
train_data, test_data = data[:1600], data[1600:]
loader = DataLoader(train_data, batch_size=40, shuffle=True)

# %%
class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
        self.decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 20))

    def forward(self, x):
        return self.decoder(self.encoder(x))


net = AutoEncoder()
loss_function = nn.MSELoss()
optimizer = optim.Adam(net.parameters(), lr=4e-3)

# %%
for epoch in range(10):
    total = 0.0
    for batch in loader:
        optimizer.zero_grad()
        loss = loss_function(net(batch), batch)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print("epoch:", epoch, "loss:", f"{total / len(loader):.6f}")

# %%
net.eval()
with torch.no_grad():
    rest = loss_function(net(test_data), test_data)
    spread_of_data = ((test_data - train_data.mean(0)) ** 2).mean()
print(f"result: {1 - (rest / spread_of_data).item():.4f}")
