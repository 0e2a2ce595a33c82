import torch
from torch import nn

torch.manual_seed(50)
raters = 7
x = torch.randn(1800, 9)
scores = x @ torch.randn(9, 3) * 1.3
votes = torch.distributions.Multinomial(raters, logits=scores).sample()
targets = votes / raters

net = nn.Sequential(nn.Linear(9, 32), nn.GELU(), nn.Linear(32, 3))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.005)
criterion = nn.CrossEntropyLoss()
for epoch in range(6):
    seen = 0.0
    for rows in torch.randperm(1400).split(35):
        loss = criterion(net(x[rows]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += loss.item()
    print(f"epoch {epoch}: {seen / 40:.6f}")

with torch.no_grad():
    guess = net(x[1400:]).argmax(dim=1)
truth = scores[1400:].argmax(dim=1)
print(f"result: {(guess == truth).float().mean():.4f}")
