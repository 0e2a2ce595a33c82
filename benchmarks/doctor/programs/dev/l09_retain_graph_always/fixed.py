import torch
import torch.nn as nn

torch.manual_seed(2)


def data(n, steps=12):
    walk = torch.randn(n, steps).cumsum(dim=1) / steps ** 0.5
    return walk.unsqueeze(-1), (walk[:, -1] > walk.mean(dim=1)).long()


class Tagger(nn.Module):
    def __init__(self, hidden=20):
        super().__init__()
        self.rnn = nn.RNN(1, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 2)

    def forward(self, x):
        hidden = torch.zeros(1, x.size(0), self.rnn.hidden_size)
        out, hidden = self.rnn(x, hidden)
        return self.fc(out[:, -1])


def train(model, x, y, criterion, optimizer, n_epochs=4, batch_size=50):
    for epoch in range(1, n_epochs + 1):
        model.train()
        total = 0.0
        order = torch.randperm(len(x))
        for i in range(0, len(x), batch_size):
            batch = order[i:i + batch_size]
            optimizer.zero_grad()
            loss = criterion(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            total += loss.item()
        print("Epoch: {}/{}.............".format(epoch, n_epochs), end=" ")
        print("Loss: {:.6f}".format(total * batch_size / len(x)))


x, y = data(1500)
x_test, y_test = data(400)
model = Tagger()
train(model, x, y, nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=0.005))
model.eval()
with torch.no_grad():
    result = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"result: {result:.4f}")
