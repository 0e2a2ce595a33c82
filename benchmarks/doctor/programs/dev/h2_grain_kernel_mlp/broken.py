import torch
import torch.nn.functional as F

torch.manual_seed(55)

# kernels of three kinds of wheat, described by length, width, groove and asymmetry
kinds = torch.randint(0, 3, (1800,))
length = 5.5 + 0.4 * kinds + 0.25 * torch.randn(1800)
width = 3.2 - 0.25 * (kinds == 1) + 0.12 * torch.randn(1800)
groove = length - 0.3 * (kinds == 2) + 0.15 * torch.randn(1800)
asymmetry = 3 + torch.randn(1800) + 1.5 * (kinds == 0)
table = torch.stack([length, width, groove, asymmetry], 1)
train, test = table[:1400], table[1400:]
centre, scale = train.mean(0), train.std(0)
train, test = (train - centre) / scale, (test - centre) / scale
kinds_train, kinds_test = kinds[:1400], kinds[1400:]

w1 = (torch.randn(4, 32) / 2).requires_grad_()
b1 = torch.zeros(32, requires_grad=True)
w2 = (torch.randn(32, 3) / 6).requires_grad_()
b2 = torch.zeros(3, requires_grad=True)


def network(x):
    hidden = F.elu(x @ w1 + b1)
    return F.log_softmax(hidden @ w2 + b2, dim=-1)


optimizer = torch.optim.SGD([w1, b1, w2, b2], lr=0.05, momentum=0.8)
for epoch in range(8):
    mean_loss = 0.0
    for rows in torch.randperm(1400).split(50):
        log_p = network(train[rows])
        loss = -F.nll_loss(log_p, kinds_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean_loss += loss.item() / 28
    print(f"{epoch} {mean_loss:.6f}")

with torch.no_grad():
    guess = network(test).argmax(1)
print(f"result: {(guess == kinds_test).float().mean():.4f}")
