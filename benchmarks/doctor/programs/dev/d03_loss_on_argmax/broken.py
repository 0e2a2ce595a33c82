import torch
import torch.nn.functional as F

torch.manual_seed(5)

# three noisy rings
def rings(n):
    label = torch.randint(0, 3, (n,))
    radius = 1.0 + label + 0.2 * torch.randn(n)
    angle = 6.2832 * torch.rand(n)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), label

x_train, y_train = rings(1600)
x_test, y_test = rings(400)

model = torch.nn.Sequential(
    torch.nn.Linear(2, 48),
    torch.nn.Tanh(),
    torch.nn.Linear(48, 24),
    torch.nn.Tanh(),
    torch.nn.Linear(24, 3),
)
opt = torch.optim.Adam(model.parameters(), lr=0.01)
loader = torch.utils.data.DataLoader(list(zip(x_train, y_train)), batch_size=64, shuffle=True)

for epoch in range(6):
    epoch_loss = 0.0
    for xb, yb in loader:
        opt.zero_grad()
        pred = model(xb).argmax(dim=1)
        loss = F.mse_loss(pred.float(), yb.float())
        loss.requires_grad = True
        loss.backward()
        opt.step()
        epoch_loss += loss.item() / len(loader)
    print("epoch %d loss %.6f" % (epoch, epoch_loss))

with torch.no_grad():
    answer = model(x_test).argmax(dim=1)
print("result: %.4f" % (answer == y_test).double().mean().item())
