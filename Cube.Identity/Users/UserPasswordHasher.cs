using Microsoft.AspNetCore.Identity;

namespace Cube.Identity.Users;

/// <summary>Hashes and verifies passwords with ASP.NET Core's <see cref="PasswordHasher{TUser}"/> (PBKDF2 with HMAC-SHA-512).</summary>
internal sealed class UserPasswordHasher
{
    private readonly PasswordHasher<User> _hasher = new();
    private readonly User _placeholder = new();
    private readonly string _placeholderHash;

    public UserPasswordHasher() => _placeholderHash = _hasher.HashPassword(_placeholder, Guid.NewGuid().ToString());

    public string Hash(string password) => _hasher.HashPassword(_placeholder, password);

    /// <summary>Does the same work for an unknown user.</summary>
    public bool Verify(User? user, string password)
    {
        var result = _hasher.VerifyHashedPassword(user ?? _placeholder, user?.PasswordHash ?? _placeholderHash, password);
        return user is not null && result != PasswordVerificationResult.Failed;
    }
}
