import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(999)
nz, ngf, ndf, batch = 8, 8, 8, 20


def real_pictures(n):
    x = torch.full((n, 1, 8, 8), -0.9)
    size = torch.randint(3, 6, (n,))
    for i in range(n):
        s = int(size[i])
        a = (8 - s) // 2
        x[i, 0, a:a + s, a:a + s] = 0.9
    return x + 0.05 * torch.randn_like(x)


def weights_init(m):
    name = m.__class__.__name__
    if name.find("Conv") != -1:
        nn.init.normal_(m.weight, 0.0, 0.05)
    elif name.find("BatchNorm") != -1:
        nn.init.normal_(m.weight, 1.0, 0.02)
        nn.init.zeros_(m.bias)


netG = nn.Sequential(
    nn.ConvTranspose2d(nz, ngf * 2, 2, 1, 0, bias=False), nn.BatchNorm2d(ngf * 2), nn.ReLU(True),
    nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False), nn.BatchNorm2d(ngf), nn.ReLU(True),
    nn.ConvTranspose2d(ngf, 1, 4, 2, 1, bias=False), nn.Tanh(),
)
netD = nn.Sequential(
    nn.Conv2d(1, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
    nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 2), nn.LeakyReLU(0.2, inplace=True),
    nn.Conv2d(ndf * 2, 1, 2, 1, 0, bias=False), nn.Sigmoid(),
)
netG.apply(weights_init)
netD.apply(weights_init)
criterion = nn.BCELoss()
optimizerD = optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
optimizerG = optim.Adam(netG.parameters(), lr=4e-3, betas=(0.5, 0.999))
pictures = real_pictures(1280)
for epoch in range(4):
    order = torch.randperm(len(pictures))
    for i, rows in enumerate(order.split(batch)):
        netD.zero_grad()
        label = torch.full((batch,), 1.0)
        output = netD(pictures[rows]).view(-1)
        errD_real = criterion(output, label)
        errD_real.backward()
        fake = netG(torch.randn(batch, nz, 1, 1))
        label.fill_(0.0)
        output = netD(fake.detach()).view(-1)
        errD_fake = criterion(output, label)
        errD_fake.backward()
        errD = errD_real + errD_fake
        optimizerD.step()

        netG.zero_grad()
        label.fill_(1.0)
        output = netD(fake).view(-1)
        errG = criterion(output, label)
        errG.backward()
        optimizerG.step()
        if i % 20 == 0:
            print(f"[{epoch}][{i}] Loss_D: {errD.item():.6f} Loss_G: {errG.item():.6f}")

netG.eval()
with torch.no_grad():
    made = netG(torch.randn(400, nz, 1, 1))
whole = torch.stack([torch.nn.functional.pad(torch.full((s, s), 1.8), [(8 - s) // 2, 8 - s - (8 - s) // 2] * 2) - 0.9 for s in (3, 4, 5)])
distance = (made - whole.unsqueeze(0)).abs().mean(dim=(2, 3)).min(dim=1).values
print(f"result: {(1 - distance / 1.8).mean().item():.4f}")
