import torch
import math

torch.manual_seed(4)
x = torch.linspace(-math.pi, math.pi, 2000)
y = torch.sin(x)

p = torch.tensor([1, 2, 3])
xx = x.unsqueeze(-1).pow(p)

model = torch.nn.Sequential(
    torch.nn.Linear(3, 1),
    torch.nn.Flatten(0, 1)
)
loss_fn = torch.nn.MSELoss(reduction='sum')

learning_rate = 1e-3
optimizer = torch.optim.RMSprop(model.parameters(), lr=learning_rate)
for t in range(2000):
    y_pred = model(xx)
    loss = loss_fn(y_pred, y)
    if t % 400 == 399:
        print(t, f"{loss.item():.6f}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

linear_layer = model[0]
print(f'y = {linear_layer.bias.item():.4f} + {linear_layer.weight[0, 0].item():.4f} x')
test_x = (torch.rand(500) * 2 - 1) * math.pi
test_y = torch.sin(test_x)
with torch.no_grad():
    rest = model(test_x.unsqueeze(-1).pow(p)) - test_y
print(f'result: {1 - (rest.pow(2).mean() / test_y.var()).item():.4f}')
