import torch
import torch.nn.functional as F

torch.manual_seed(8)
N_CLASSES = 5

means = 1.6 * torch.randn(N_CLASSES, 10)


def sample(n):
    y = torch.randint(N_CLASSES, (n,))
    return means[y] + torch.randn(n, 10), y


train_x, train_y = sample(2000)
test_x, test_y = sample(600)

w1 = (torch.randn(10, 40) / 10 ** 0.5).requires_grad_()
b1 = torch.zeros(40, requires_grad=True)
w2 = (torch.randn(40, N_CLASSES) / 40 ** 0.5).requires_grad_()
b2 = torch.zeros(N_CLASSES, requires_grad=True)
params = [w1, b1, w2, b2]


def predict(x):
    hidden = F.elu(x @ w1 + b1)
    return F.log_softmax(hidden @ w2 + b2, dim=0)


optimizer = torch.optim.SGD(params, lr=0.1)
for epoch in range(5):
    epoch_loss = 0.0
    for chunk in torch.randperm(2000).chunk(40):
        loss = F.nll_loss(predict(train_x[chunk]), train_y[chunk])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() / 40
    print(f"{epoch} {epoch_loss:.6f}")

with torch.no_grad():
    accuracy = (predict(test_x).argmax(1) == test_y).float().mean().item()
print(f"result: {accuracy:.4f}")
