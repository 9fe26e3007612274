using Cube.Identity.Configuration;
using Cube.Identity.Domains;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Accounts;

/// <summary>Creates the configured administrator when the platform has none, and the configured domain of that administrator.</summary>
internal sealed class SeedDataService(
    UserStore users, DomainStore domains, UserPasswordHasher passwords, IOptions<IdentityOptions> options, TimeProvider time) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var settings = options.Value;
        if (settings.AdminEmail.Length == 0)
        {
            return;
        }

        if (!await users.HasAdministratorAsync(cancellationToken))
        {
            await users.AddAsync(Create(settings), actor: null, cancellationToken);
        }

        // At each start, because an earlier start may have ended between the two steps. A route that is already in use does not change.
        if (settings.SeedDomain.Length > 0 && await users.FindByNameAsync(settings.AdminEmail, cancellationToken) is { IsAdministrator: true } administrator)
        {
            await domains.AddAsync(new NewDomain(settings.SeedDomain, settings.SeedDomain, [], "{}"), administrator.Id, limit: null, cancellationToken);
        }
    }

    private User Create(IdentityOptions settings)
    {
        var request = new CreateUserRequest(
            "super", "admin", settings.AdminEmail, new("admin", settings.AdminPassword), null, null, null, null, "admin", null);
        if (UserRules.Validate(request) is { } error)
        {
            throw new SettingException($"The first administrator cannot be created from Identity__AdminEmail and Identity__AdminPassword: {error}");
        }

        var now = time.GetUtcNow().UtcDateTime;
        return new User
        {
            Id = Guid.CreateVersion7(),
            FirstName = request.FirstName!,
            LastName = request.LastName!,
            Email = request.Email!,
            Username = request.Credentials!.Username!,
            PasswordHash = passwords.Hash(settings.AdminPassword),
            Role = "admin",
            CreatedAt = now,
            UpdatedAt = now,
            VerifiedAt = now,
        };
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
