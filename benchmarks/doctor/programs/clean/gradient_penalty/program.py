import torch
from torch import nn, autograd


def net(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, outputs))


def penalty(critic, real, fake):
    share = torch.rand(len(real), 1)
    between = (share * real + (1 - share) * fake).requires_grad_(True)
    score = critic(between)
    (gradient,) = autograd.grad(score.sum(), between, create_graph=True)
    return ((gradient.norm(2, dim=1) - 1) ** 2).mean()


def real_points(n):
    corner = torch.randint(0, 2, (n, 2)) * 2.0 - 1
    return corner + 0.2 * torch.randn(n, 2)


def main():
    torch.manual_seed(61)
    critic, generator = net(2, 1), net(4, 2)
    opt_c = torch.optim.Adam(critic.parameters(), lr=4e-3, betas=(0.0, 0.9))
    opt_g = torch.optim.Adam(generator.parameters(), lr=4e-3, betas=(0.0, 0.9))
    for epoch in range(9):
        sums = [0.0, 0.0]
        for _ in range(60):
            for _ in range(2):
                real, fake = real_points(64), generator(torch.randn(64, 4)).detach()
                c_loss = critic(fake).mean() - critic(real).mean() + 2 * penalty(critic, real, fake)
                opt_c.zero_grad()
                c_loss.backward()
                opt_c.step()
            g_loss = -critic(generator(torch.randn(64, 4))).mean()
            opt_g.zero_grad()
            g_loss.backward()
            opt_g.step()
            sums[0] += c_loss.item() / 60
            sums[1] += g_loss.item() / 60
        print(f"epoch {epoch} critic {sums[0]:.6f} generator {sums[1]:.6f}")
    with torch.no_grad():
        made = generator(torch.randn(1000, 4))
    near = ((made.abs() - 1).norm(dim=1) < 0.5).float().mean().item()
    print(f"result: {near:.4f}")


main()
