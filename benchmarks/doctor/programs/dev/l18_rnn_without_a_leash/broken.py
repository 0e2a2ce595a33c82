import torch
from torch import nn


def adding_problem(n, length=20):
    """Two rows per step: a number and a marker. Target: sum of the two marked numbers."""
    values = torch.rand(n, length) * 2 - 1
    marks = torch.zeros(n, length)
    first = torch.randint(0, length // 2, (n,))
    second = torch.randint(length // 2, length, (n,))
    rows = torch.arange(n)
    marks[rows, first] = 1.0
    marks[rows, second] = 1.0
    return torch.stack([values, marks], dim=2), (values * marks).sum(dim=1, keepdim=True)


class IRNN(nn.Module):
    """A recurrent network with an identity start (after Le, Jaitly, Hinton 2015)."""

    def __init__(self, hidden=48):
        super().__init__()
        self.hidden = hidden
        self.from_input = nn.Linear(2, hidden)
        self.from_state = nn.Linear(hidden, hidden, bias=False)
        self.readout = nn.Linear(hidden, 1)
        nn.init.eye_(self.from_state.weight)
        nn.init.normal_(self.from_input.weight, std=0.1)
        nn.init.zeros_(self.from_input.bias)

    def forward(self, x):
        state = x.new_zeros(len(x), self.hidden)
        for t in range(x.size(1)):
            state = nn.functional.leaky_relu(self.from_state(state) + self.from_input(x[:, t]), 0.2)
        return self.readout(state)


def train(model, x, y, epochs=12, batch=50):
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(1, epochs + 1):
        total = 0.0
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            loss = criterion(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch}: mse {total / len(x):.4f}")


def evaluate(model, x, y):
    with torch.no_grad():
        error = (model(x) - y).pow(2).mean()
    return (1 - error / y.var()).item()


torch.manual_seed(77)
x_train, y_train = adding_problem(2000)
x_test, y_test = adding_problem(500)
model = IRNN()
train(model, x_train, y_train)
print(f"result: {evaluate(model, x_test, y_test):.4f}")
