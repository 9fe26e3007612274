namespace Cube.Identity.Mail;

/// <summary>A mail to be written. Who asked for it has his answer before it is known whether there is anybody to write to.</summary>
internal abstract record MailJob
{
    /// <summary>How to choose a new password, to whoever has this address.</summary>
    public sealed record PasswordReset(string Email) : MailJob;

    /// <summary>How to verify an account that is not, to whoever has this address.</summary>
    public sealed record Verification(string Email) : MailJob;

    /// <summary>How to make this address one's own.</summary>
    /// <param name="UserId">Whose address it becomes.</param>
    /// <param name="Email">The new address.</param>
    /// <param name="PasswordHash">Of the password that the change was asked for with: after another password there is no mail.</param>
    public sealed record AddressChange(Guid UserId, string Email, string PasswordHash) : MailJob
    {
        public override string ToString() => nameof(AddressChange);
    }

    /// <summary>Tells the old address that another was asked for, or is in force.</summary>
    public sealed record AddressNotice(string Email, string Username, bool IsChanged) : MailJob;

    /// <summary>That one is invited.</summary>
    public sealed record Invitation(Guid UserId, string DomainName) : MailJob;
}
