import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm1 = nn.LSTMCell(1, 16)
        self.lstm2 = nn.LSTMCell(16, 16)
        self.linear = nn.Linear(16, 1)

    def forward(self, input, future=0):
        outputs = []
        n = input.size(0)
        h_t, c_t, h_t2, c_t2 = (torch.zeros(n, 16, dtype=torch.double) for _ in range(4))
        for value in input.split(1, dim=1):
            h_t, c_t = self.lstm1(value, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs.append(output)
        for _ in range(future):
            h_t, c_t = self.lstm1(output, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs.append(output)
        return torch.cat(outputs, dim=1)


np.random.seed(2)
torch.manual_seed(0)
L, N, T = 30, 24, 4
x = np.array(range(L)) + np.random.permutation(np.arange(-4 * T, 4 * T))[:N].reshape(N, 1)
data = torch.from_numpy(np.sin(x / 1.0 / T).astype("float64"))
input, target = data[4:, :-1], data[4:, 1:]
test_input, test_target = data[:4, :-1], data[:4, 1:]
seq = Sequence().double()
criterion = nn.MSELoss()
optimizer = optim.LBFGS(seq.parameters(), lr=0.5, max_iter=16)
for i in range(4):

    def closure():
        optimizer.zero_grad()
        loss = criterion(seq(input), target)
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    with torch.no_grad():
        test_loss = criterion(seq(test_input, future=10)[:, :-10], test_target)
    print(f"STEP: {i} loss: {loss.item():.6f} test loss: {test_loss.item():.6f}")
print(f"result: {1 - (test_loss / test_target.var()).item():.4f}")
