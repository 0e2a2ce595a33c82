import torch
import torch.nn as nn

torch.manual_seed(0)

# ten little 8x8 pictures, each sample is one of them with noise
glyphs = (torch.rand(10, 64) > 0.6).float()
y = torch.randint(0, 10, (2400,))
x = glyphs[y] + 0.9 * torch.randn(2400, 64)
x_train, y_train = x[:2000], y[:2000]
x_test, y_test = x[2000:], y[2000:]

net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

batch = 50
for epoch in range(4):
    order = torch.randperm(len(x_train))
    total = 0.0
    for start in range(0, len(x_train), batch):
        rows = order[start:start + batch]
        optimizer.zero_grad()
        output = net(x_train[rows])
        loss = criterion(output, y_train[rows])
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch + 1} loss {total / (len(x_train) / batch):.6f}")

with torch.no_grad():
    guess = net(x_test).argmax(dim=1)
print(f"result: {(guess == y_test).float().mean().item():.4f}")
