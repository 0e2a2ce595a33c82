import torch
from torch import nn

torch.manual_seed(57)
T, N = 20, 1200
walk = torch.randn(N, T, 2).cumsum(dim=1) / 3
pull = torch.tensor([[0.15, 0.0], [-0.15, 0.0], [0.0, 0.15]])
kind = torch.randint(0, 3, (N,))
walk = walk + pull[kind].unsqueeze(1) * torch.arange(T).view(1, T, 1)
x_train, x_test = walk[:960], walk[960:]
y_train, y_test = kind[:960], kind[960:]

lstm = nn.LSTM(input_size=2, hidden_size=24)
readout = nn.Linear(24, 3)
params = list(lstm.parameters()) + list(readout.parameters())
optimizer = torch.optim.Adam(params, lr=0.01)
for epoch in range(6):
    running = 0.0
    for rows in torch.randperm(960).split(32):
        sequence = x_train[rows].transpose(0, 1)
        output, (h, c) = lstm(sequence)
        loss = nn.functional.cross_entropy(readout(output[-1]), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    print("epoch", epoch, "loss", f"{running / 30:.6f}")
with torch.no_grad():
    output, _ = lstm(x_test.permute(1, 0, 2))
    guess = readout(output[-1]).argmax(dim=1)
print(f"result: {(guess == y_test).float().mean():.4f}")
