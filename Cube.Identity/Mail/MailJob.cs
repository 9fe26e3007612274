namespace Cube.Identity.Mail;

/// <summary>An e-mail to send. The request is answered before the recipient is looked up.</summary>
internal abstract record MailJob
{
    /// <summary>Password reset for the account with this address, if there is one.</summary>
    public sealed record PasswordReset(string Email) : MailJob;

    /// <summary>Verification of the unverified account with this address, if there is one.</summary>
    public sealed record Verification(string Email) : MailJob;

    /// <summary>Verification of a new address.</summary>
    /// <param name="UserId">The user whose address changes.</param>
    /// <param name="Email">The new address.</param>
    /// <param name="PasswordHash">The hash of the password that confirmed the request. When the password has changed since, no e-mail is sent.</param>
    public sealed record AddressChange(Guid UserId, string Email, string PasswordHash) : MailJob
    {
        public override string ToString() => nameof(AddressChange);
    }

    /// <summary>Notifies the old address that an address change was requested or took effect.</summary>
    public sealed record AddressNotice(string Email, string Username, bool IsChanged) : MailJob;

    /// <summary>Notifies a user of an invitation.</summary>
    public sealed record Invitation(Guid UserId, string DomainName) : MailJob;
}
