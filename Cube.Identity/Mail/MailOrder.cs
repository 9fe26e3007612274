namespace Cube.Identity.Mail;

/// <summary>A mail to be written. Who asked for it has his answer before it is known whether there is anybody to write to.</summary>
internal abstract record MailOrder
{
    /// <summary>How to choose a new password, to whoever has this address.</summary>
    public sealed record Recover(string Email) : MailOrder;

    /// <summary>How to verify an account that is not, to whoever has this address.</summary>
    public sealed record Verify(string Email) : MailOrder;

    /// <summary>How to make this address one's own.</summary>
    public sealed record ChangeAddress(Guid UserId, string Email) : MailOrder;

    /// <summary>That one is invited.</summary>
    public sealed record Invite(Guid UserId, string DomainName) : MailOrder;
}
