using Microsoft.AspNetCore.Identity;

namespace Cube.Identity.Users;

/// <summary>Hashes and checks passwords with ASP.NET Core's hasher (PBKDF2 with HMAC-SHA-512).</summary>
internal sealed class UserPasswordHasher
{
    private readonly PasswordHasher<User> _hasher = new();
    private readonly User _nobody = new();
    private readonly string _nobodysHash;

    public UserPasswordHasher() => _nobodysHash = _hasher.HashPassword(_nobody, Guid.NewGuid().ToString());

    public string Hash(string password) => _hasher.HashPassword(_nobody, password);

    /// <summary>Takes the same work for a user who does not exist.</summary>
    public bool Verify(User? user, string password)
    {
        var result = _hasher.VerifyHashedPassword(user ?? _nobody, user?.PasswordHash ?? _nobodysHash, password);
        return user is not null && result != PasswordVerificationResult.Failed;
    }
}
