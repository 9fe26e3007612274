namespace Cube.Tests.Systems;

/// <summary>A system with self-registration that writes mails as files to <see cref="Mails"/>.</summary>
public sealed class MailSystem(PostgresServer postgres) : IAsyncLifetime
{
    public string Mails { get; } = Directory.CreateTempSubdirectory("cube-mails-").FullName;

    public CubeSystem Cube { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Cube = await CubeSystem.StartAsync(
        postgres, null,
        new KeyValuePair<string, string>("Identity__SelfRegistration", "true"), new("Mail__Directory", Mails), new("Mail__From", "cube@example.com"), new("Mail__LinkBase", "https://cube.example.com"));

    public async ValueTask DisposeAsync()
    {
        await (Cube?.DisposeAsync() ?? default);
        Directory.Delete(Mails, recursive: true);
    }
}
