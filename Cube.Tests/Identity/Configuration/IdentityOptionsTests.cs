using Cube.Identity.Configuration;

namespace Cube.Tests.Identity.Configuration;

public sealed class IdentityOptionsTests
{
    private static readonly IdentityOptionsValidator _validator = new();

    private static IdentityOptions Valid() => new() { KeyEncryptionSecret = "a secret of the tests" };

    [Fact]
    public void The_default_limits_are_valid() => Assert.True(_validator.Validate(null, Valid()).Succeeded);

    [Theory]
    [InlineData(nameof(IdentityOptions.MaxDomainsPerUser), 0)]
    [InlineData(nameof(IdentityOptions.PasswordsAtOnce), 65)]
    [InlineData(nameof(IdentityOptions.PasswordsWaiting), 0)]
    [InlineData(nameof(IdentityOptions.PasswordsWaitingPerAddress), 0)]
    [InlineData(nameof(IdentityOptions.LoginFailuresPerAddress), 9)]
    public void A_limit_outside_its_range_is_invalid(string setting, int value)
    {
        var options = Valid();
        typeof(IdentityOptions).GetProperty(setting)!.SetValue(options, value);
        Assert.True(_validator.Validate(null, options).Failed);
    }
}
